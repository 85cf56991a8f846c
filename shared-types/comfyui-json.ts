/** Reading JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` stand bare where JSON has none. */

export type JsonReading =
  | {
      readonly kind: 'ok';
      readonly value: unknown;
      /** True when bare NaN or Infinity were read as null. */
      readonly repaired: boolean;
    }
  | { readonly kind: 'invalid'; readonly reason: string };

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message.slice(0, 200) : 'not JSON';

const parse = (text: string, repaired: boolean): JsonReading => {
  try {
    return { kind: 'ok', value: JSON.parse(text) as unknown, repaired };
  } catch (error) {
    return { kind: 'invalid', reason: reasonOf(error) };
  }
};

/** Where the string that opens at `start` ends: the index behind its closing quote, or the end of the text. */
const endOfString = (text: string, start: number): number => {
  let quote = text.indexOf('"', start + 1);
  while (quote !== -1) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
};

const withNulls = (gap: string): string => gap.replaceAll(/-?Infinity|NaN/g, 'null');

/**
 * Replaces the three words outside strings. One pass over the text, string by string: a regular expression over
 * the whole overflows the stack on large strings and turns quadratic on unclosed ones.
 */
const replaceNonFinite = (text: string): string => {
  const parts: string[] = [];
  let position = 0;
  while (position < text.length) {
    const quote = text.indexOf('"', position);
    const gapEnd = quote === -1 ? text.length : quote;
    parts.push(withNulls(text.slice(position, gapEnd)));
    if (quote === -1) break;
    position = endOfString(text, quote);
    parts.push(text.slice(quote, position));
  }
  return parts.join('');
};

/** Parses once; on failure once more with bare non-finite numbers read as null. Linear in the text. Never throws. */
export const readComfyUiJson = (text: string): JsonReading => {
  const first = parse(text, false);
  if (first.kind === 'ok' || !/NaN|Infinity/.test(text)) return first;
  const second = parse(replaceNonFinite(text), true);
  return second.kind === 'ok' ? second : first;
};
