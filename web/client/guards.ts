/** Hand-written checks for what arrives from outside: no schema library goes into the browser bundle. */

export type Fields = Readonly<Record<string, unknown>>;

/** Longer texts are cut: a page should not render a megabyte that a peer sent by mistake. */
const MAX_TEXT_LENGTH = 16_384;

/** The value as an object with fields, or undefined for anything else (arrays included). */
export const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

/** Parsed JSON, or undefined when the text is none. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value.slice(0, MAX_TEXT_LENGTH) : undefined;

/** A whole number from 0 to 2^53 - 1. */
export const countOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;

/** A finite number that is not negative. */
export const amountOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;

/** A percentage cut to 0–100. */
export const percentageOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? Math.min(100, Math.max(0, value)) : undefined;

export const oneOf = <T extends string>(known: readonly T[], value: unknown): T | undefined =>
  known.find((candidate) => candidate === value);

/** Reads each item and leaves out those that cannot be read; anything but a list is an empty one. */
export const listOf = <T>(value: unknown, read: (item: unknown) => T | undefined, max: number): T[] =>
  (Array.isArray(value) ? (value as unknown[]) : []).slice(0, max).flatMap((item) => {
    const one = read(item);
    return one === undefined ? [] : [one];
  });

/** The entries whose value is a text, under the same keys. */
export const textsOf = <K extends string>(fields: Fields, keys: readonly K[]): Partial<Record<K, string>> => {
  const found: Partial<Record<K, string>> = {};
  for (const key of keys) {
    const text = textOf(fields[key]);
    if (text !== undefined && text !== '') found[key] = text;
  }
  return found;
};
