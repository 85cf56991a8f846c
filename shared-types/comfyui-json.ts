/** Reading JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` stand bare where JSON has none. */

export type JsonReading =
  | {
      readonly kind: 'ok';
      readonly value: unknown;
      /** True when bare NaN or Infinity were read as null. */ readonly repaired: boolean;
    }
  | { readonly kind: 'invalid'; readonly reason: string };

/** A string literal (left alone), or one of the three words (replaced). */
const STRING_OR_NON_FINITE = /"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g;

const parse = (text: string): JsonReading => {
  try {
    return { kind: 'ok', value: JSON.parse(text) as unknown, repaired: false };
  } catch (error) {
    return { kind: 'invalid', reason: error instanceof Error ? error.message.slice(0, 200) : 'not JSON' };
  }
};

/** Parses once; on failure once more with bare non-finite numbers read as null. Never throws. */
export const readComfyUiJson = (text: string): JsonReading => {
  const first = parse(text);
  if (first.kind === 'ok' || !/NaN|Infinity/.test(text)) return first;
  const second = parse(
    text.replace(STRING_OR_NON_FINITE, (token) => (token.startsWith('"') ? token : 'null')),
  );
  return second.kind === 'ok' ? { ...second, repaired: true } : first;
};
