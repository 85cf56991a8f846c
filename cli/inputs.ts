/** `--set name=value`: which input gets what. */
import { isLosslessNumber } from 'lossless-json';
import { CliError, EXIT } from './cli-error.ts';
import { targetOf } from './target.ts';

export type InputValue =
  | {
      readonly kind: 'json';
      /** JSON: numbers with every digit. */
      readonly text: string;
    }
  | { readonly kind: 'file'; readonly path: string };

export type Inputs = ReadonlyMap<string, InputValue>;

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** `"42"` in quotes is text; quotes within it are a sentence's own. */
const unquoted = (value: string): string => /^"([^"]*)"$/.exec(value)?.[1] ?? value;

/**
 * `@file` is a file. Where the workflow has a text now, everything is text; else numbers, true and false are what
 * they look like, and the rest is text.
 * @param now what the workflow has there; undefined where nobody knows
 */
export const valueOf = (value: string, now: unknown): InputValue => {
  if (value.startsWith('@')) return { kind: 'file', path: value.slice(1) };
  const isText = typeof now === 'string';
  const plain = NUMBER.test(value) || value === 'true' || value === 'false';
  if (!isText && plain) return { kind: 'json', text: value };
  return { kind: 'json', text: JSON.stringify(unquoted(value)) };
};

const KINDS: ReadonlyMap<string, string> = new Map([
  ['number', 'a number'],
  ['boolean', 'true or false'],
]);

/** The task API refuses it as well, but not before the files are uploaded. */
const checkKind = (name: string, given: InputValue, now: unknown): void => {
  const kind = isLosslessNumber(now) ? 'number' : typeof now;
  const word = KINDS.get(kind);
  if (word === undefined) return;
  const fits =
    given.kind === 'json' &&
    (kind === 'number' ? NUMBER.test(given.text) : /^(true|false)$/.test(given.text));
  if (!fits) throw new CliError(EXIT.usage, `--set ${name}: this input takes ${word}`);
};

const split = (set: string): readonly [string, string] => {
  const at = set.indexOf('=');
  const name = set.slice(0, Math.max(0, at)).trim();
  if (name !== '') return [name, set.slice(at + 1)];
  throw new CliError(EXIT.usage, `--set ${set}: write name=value, for example --set prompt="a red fox"`);
};

/**
 * @param workflow as lossless-json read it; undefined for a stored one, whose parameters the API knows
 * @throws CliError
 */
export const readInputs = (sets: readonly string[], workflow: unknown): Inputs => {
  const inputs = new Map<string, InputValue>();
  for (const set of sets) {
    const [name, text] = split(set);
    const target = workflow === undefined ? { path: name, value: undefined } : targetOf(name, workflow);
    const value = valueOf(text, target.value);
    if (inputs.has(target.path)) throw new CliError(EXIT.usage, `--set ${name}: ${target.path} is set twice`);
    checkKind(name, value, target.value);
    inputs.set(target.path, value);
  }
  return inputs;
};
