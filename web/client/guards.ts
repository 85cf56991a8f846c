/** Hand-written checks for what arrives from outside: no schema library goes into the browser bundle. */

export type Fields = Readonly<Record<string, unknown>>;

/** Answers the value as what it should be, or undefined. `fields` is the object that it stands in. */
export type Reader<T> = (value: unknown, fields?: Fields) => T | undefined;

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

export const textOf: Reader<string> = (value) =>
  typeof value === 'string' ? value.slice(0, MAX_TEXT_LENGTH) : undefined;

/** A text that is not empty. */
export const nameOf: Reader<string> = (value) => textOf(value) || undefined;

/** A finite number that is not negative. */
export const amountOf: Reader<number> = (value) =>
  Number.isFinite(value) && (value as number) >= 0 ? (value as number) : undefined;

/** A whole number from 0 to 2^53 - 1. */
export const countOf: Reader<number> = (value) => (Number.isSafeInteger(value) ? amountOf(value) : undefined);

/** A percentage cut to 0–100. */
export const percentageOf: Reader<number> = (value) =>
  Number.isFinite(value) ? Math.min(100, Math.max(0, value as number)) : undefined;

export const oneOf =
  <T extends string>(...known: readonly T[]): Reader<T> =>
  (value) =>
    known.find((candidate) => candidate === value);

/** The fallback where the reader finds nothing. */
export const or =
  <T, F>(read: Reader<T>, fallback: F): Reader<T | F> =>
  (value, fields) =>
    read(value, fields) ?? fallback;

export const orNull = <T>(read: Reader<T>): Reader<T | null> => or(read, null);

export const textOrEmpty = or(textOf, '');
export const textOrNull = orNull(textOf);
export const amountOrNull = orNull(amountOf);
export const countOrZero = or(countOf, 0);

/**
 * A word of an open list: a later server may know more of them than the type names, so who branches on it needs a
 * default.
 */
export const word = <T extends string>(fallback: T): Reader<T> => or(nameOf, fallback) as Reader<T>;

/** Reads each item and leaves out those that cannot be read; anything but a list is an empty one. */
export const listOf =
  <T>(read: Reader<T>, max: number) =>
  (value: unknown): T[] =>
    (Array.isArray(value) ? (value as unknown[]) : [])
      .slice(0, max)
      .map((item) => read(item))
      .filter((item) => item !== undefined);

const ABSENT = Symbol('absent');

/** The key is left out where the reader finds nothing. */
export const optional = <T>(read: Reader<T>): Reader<T> => or(read, ABSENT) as Reader<T>;

/** A reader for each key that the type names; what is optional there may be left out here. */
export type Shape<T> = {
  readonly [K in keyof T as string extends K ? never : K]: Reader<Exclude<T[K], undefined>>;
};

const same = (key: string): string => key;

/** An object with these keys and no others; undefined as soon as one cannot be read. `spell` is their spelling there. */
export const objectOf =
  <T>(shape: Shape<T>, spell: (key: string) => string = same): Reader<T> =>
  (value) => {
    const fields = fieldsOf(value);
    if (fields === undefined) return undefined;
    const found: Record<string, unknown> = {};
    for (const [key, read] of Object.entries<Reader<unknown>>(shape)) {
      const one = read(fields[spell(key)], fields);
      if (one === undefined) return undefined;
      if (one !== ABSENT) found[key] = one;
    }
    return found as T;
  };

/** `outputId` → `output_id`, as the task API spells it. */
export const snakeCase = (key: string): string =>
  key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
