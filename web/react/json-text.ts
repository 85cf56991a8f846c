/**
 * Changes JSON as text. JSON.parse followed by JSON.stringify would round a seed above 2^53, so the one value is
 * replaced where it stands and all other digits are left alone.
 */
import { parseJson } from '../client/guards.ts';

interface Span {
  readonly start: number;
  readonly end: number;
}

const afterSpace = (text: string, from: number): number => {
  let at = from;
  while (/\s/.test(text.charAt(at))) at += 1;
  return at;
};

/** `from` is at the opening quote; the answer is behind the closing one. */
const afterString = (text: string, from: number): number => {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
};

const afterNested = (text: string, from: number): number => {
  let depth = 0;
  let at = from;
  do {
    const sign = text.charAt(at);
    if (sign === '"') at = afterString(text, at);
    else {
      if (sign === '{' || sign === '[') depth += 1;
      if (sign === '}' || sign === ']') depth -= 1;
      at += 1;
    }
  } while (depth > 0 && at < text.length);
  return at;
};

const afterValue = (text: string, from: number): number => {
  const sign = text.charAt(from);
  if (sign === '"') return afterString(text, from);
  if (sign === '{' || sign === '[') return afterNested(text, from);
  let at = from;
  while (at < text.length && !/[\s,\]}]/.test(text.charAt(at))) at += 1;
  return at;
};

/** The value of a member of the object that opens at `from`; of members with the same name, the last. */
const memberSpan = (text: string, from: number, name: string): Span | undefined => {
  if (text[from] !== '{') return undefined;
  let found: Span | undefined;
  let at = afterSpace(text, from + 1);
  while (text[at] === '"') {
    const nameEnd = afterString(text, at);
    const start = afterSpace(text, afterSpace(text, nameEnd) + 1);
    const end = afterValue(text, start);
    if (parseJson(text.slice(at, nameEnd)) === name) found = { start, end };
    const next = afterSpace(text, end);
    at = text[next] === ',' ? afterSpace(text, next + 1) : text.length;
  }
  return found;
};

const spanOf = (text: string, path: readonly string[]): Span | undefined => {
  let span: Span | undefined = { start: afterSpace(text, 0), end: text.length };
  for (const name of path) {
    if (span === undefined) return undefined;
    span = memberSpan(text, span.start, name);
  }
  return span;
};

/** The text with one value replaced by `raw`, itself JSON; unchanged when there is no such value. `text` must be JSON. */
export const withRawValue = (text: string, path: readonly string[], raw: string): string => {
  const span = spanOf(text, path);
  return span === undefined ? text : `${text.slice(0, span.start)}${raw}${text.slice(span.end)}`;
};
