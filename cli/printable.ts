/** Names and messages come from users and workers: nothing of them may steer a terminal, or break its lines. */

const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;
const LONE_SURROGATES = /\p{Cs}/gu;
/** More marks than any script needs, which climb over the lines above. */
const PILED_MARKS = /(\p{M}{3})\p{M}+/gu;
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Extended_Pictographic}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

/** One line, without escape sequences, line breaks and changes of direction. */
export const printable = (text: string): string =>
  text
    .replaceAll(CONTROLS, ' ')
    .replaceAll(LONE_SURROGATES, '\ufffd')
    .replaceAll(PILED_MARKS, '$1')
    .replaceAll(/\s+/g, ' ')
    .trim();

/** JSON text with the same characters written as escapes: its meaning stays. */
export const printableJson = (text: string): string =>
  text.replaceAll(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    Array.from({ length: found.length }, (_, at) => {
      const code = found.charCodeAt(at).toString(16).padStart(4, '0');
      return `\\u${code}`;
    }).join(''),
  );

const characterWidth = (character: string): number => {
  if (/^\p{M}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
};

/** Columns that a printable text takes; never too few. */
export const displayWidth = (text: string): number =>
  Array.from(text).reduce((sum, character) => sum + characterWidth(character), 0);

/** @param columns at most so many; a text that is cut ends in an ellipsis */
export const cutTo = (text: string, columns: number): string => {
  if (displayWidth(text) <= columns) return text;
  let width = 0;
  let cut = '';
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    cut += character;
  }
  return columns < 1 ? '' : `${cut}…`;
};

export const padTo = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
