/**
 * Changes a workflow as text. JSON.parse followed by JSON.stringify would round a seed above 2^53, so the one
 * value is replaced where it stands and all other digits are left alone.
 */
import { fieldsOf, parseJson, type Fields } from '../client/guards.ts';

/** ComfyUI's seeds are unsigned 64-bit numbers. */
export const MAX_SEED = 18_446_744_073_709_551_615n;

export type ValuePath = readonly [nodeId: string, section: 'inputs', input: string];

export interface WorkflowInputs {
  /** The text of the CLIPTextEncode that a sampler's `positive` leads to. */
  readonly prompt: { readonly path: ValuePath; readonly text: string } | undefined;
  /** Digits as they stand in the text. */
  readonly seed: { readonly paths: readonly ValuePath[]; readonly digits: string } | undefined;
}

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

/** The value as it is written, or undefined when there is none. `text` must be JSON. */
export const rawValue = (text: string, path: readonly string[]): string | undefined => {
  const span = spanOf(text, path);
  return span === undefined ? undefined : text.slice(span.start, span.end);
};

/** The text with one value replaced by `raw`, itself JSON; unchanged when there is no such value. */
export const withRawValue = (text: string, path: readonly string[], raw: string): string => {
  const span = spanOf(text, path);
  return span === undefined ? text : `${text.slice(0, span.start)}${raw}${text.slice(span.end)}`;
};

const linkedNode = (value: unknown): string | undefined =>
  Array.isArray(value) && typeof value[0] === 'string' ? value[0] : undefined;

const inputsOf = (workflow: Fields, nodeId: string): Fields | undefined =>
  Object.hasOwn(workflow, nodeId) ? fieldsOf(fieldsOf(workflow[nodeId])?.['inputs']) : undefined;

/** Follows `positive` through whatever stands between (a ControlNet, say) to the node that holds the text. */
const promptNode = (workflow: Fields, start: string): string | undefined => {
  const seen = new Set<string>();
  let at: string | undefined = start;
  while (at !== undefined && !seen.has(at)) {
    seen.add(at);
    const inputs = inputsOf(workflow, at);
    if (typeof inputs?.['text'] === 'string') return at;
    at = linkedNode(inputs?.['positive']) ?? linkedNode(inputs?.['conditioning']);
  }
  return undefined;
};

const promptOf = (workflow: Fields): WorkflowInputs['prompt'] => {
  for (const nodeId of Object.keys(workflow)) {
    const start = linkedNode(inputsOf(workflow, nodeId)?.['positive']);
    const holder = start === undefined ? undefined : promptNode(workflow, start);
    const text = holder === undefined ? undefined : inputsOf(workflow, holder)?.['text'];
    if (holder !== undefined && typeof text === 'string') return { path: [holder, 'inputs', 'text'], text };
  }
  return undefined;
};

const seedOf = (workflow: Fields, text: string): WorkflowInputs['seed'] => {
  const paths = Object.keys(workflow).flatMap((nodeId): ValuePath[] =>
    ['seed', 'noise_seed']
      .filter((input) => typeof inputsOf(workflow, nodeId)?.[input] === 'number')
      .map((input) => [nodeId, 'inputs', input]),
  );
  const digits = paths[0] === undefined ? undefined : rawValue(text, paths[0]);
  return digits === undefined ? undefined : { paths, digits };
};

/** What of a workflow a person changes most: prompt and seed. */
export const workflowInputs = (text: string): WorkflowInputs => {
  const workflow = fieldsOf(parseJson(text)) ?? {};
  return { prompt: promptOf(workflow), seed: seedOf(workflow, text) };
};

/** The digits without leading zeros, or undefined for anything but a whole number from 0 to 2^64 - 1. */
export const readSeed = (typed: string): string | undefined => {
  const digits = typed.trim();
  if (!/^\d{1,40}$/.test(digits)) return undefined;
  const seed = BigInt(digits);
  return seed <= MAX_SEED ? seed.toString() : undefined;
};

export const randomSeed = (): string => (crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n).toString();

/** The workflow with this prompt and this seed (digits, see `readSeed`), where it has a place for them. */
export const withInputs = (text: string, changes: { prompt: string; seed: string }): string => {
  const { prompt, seed } = workflowInputs(text);
  const prompted =
    prompt === undefined ? text : withRawValue(text, prompt.path, JSON.stringify(changes.prompt));
  return (seed?.paths ?? []).reduce((edited, path) => withRawValue(edited, path, changes.seed), prompted);
};
