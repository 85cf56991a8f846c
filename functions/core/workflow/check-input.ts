/**
 * One input of one node against what its class declares, as ComfyUI checks it before a prompt is queued. Where a
 * class may have rules of its own that /object_info does not tell, the value passes.
 * Source: https://github.com/Comfy-Org/ComfyUI/blob/master/execution.py
 */
import type { CatalogueInput, CatalogueOption } from './catalogue-class.ts';
import { numberText, unwrapped } from './json-value.ts';
import { isModelFile, spellingsOf } from './model-files.ts';
import { nearestFirst } from './nearest.ts';
import type { NodeErrorType } from './node-errors.ts';
import { quoted, someOf } from './one-line.ts';
import { compareToBound, pythonFloat, pythonInt, type PythonNumber } from './python-number.ts';

export interface Finding {
  readonly type: NodeErrorType;
  readonly describe: () => string;
}

/** How a value looks in a message. */
const shown = (value: unknown): string => {
  const digits = numberText(value);
  if (digits !== undefined) return digits.length > 40 ? `${digits.slice(0, 40)}…` : digits;
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'boolean' || value === null) return String(value);
  return Array.isArray(value) ? 'a list' : 'an object';
};

const boundFinding = (
  name: string,
  value: unknown,
  number: bigint | number,
  { min, max }: CatalogueInput,
): Finding | undefined => {
  if (min !== undefined && compareToBound(number, min) < 0) {
    const describe = (): string =>
      `${quoted(name)} is ${shown(value)}, smaller than the minimum ${min.slice(0, 40)}`;
    return { type: 'value_smaller_than_min', describe };
  }
  if (max !== undefined && compareToBound(number, max) > 0) {
    const describe = (): string =>
      `${quoted(name)} is ${shown(value)}, bigger than the maximum ${max.slice(0, 40)}`;
    return { type: 'value_bigger_than_max', describe };
  }
  return undefined;
};

const checkNumber = (
  name: string,
  value: unknown,
  number: PythonNumber<bigint | number>,
  input: CatalogueInput,
): Finding | undefined => {
  if (number.kind === 'unknown') return undefined;
  if (number.kind === 'ok') return boundFinding(name, value, number.value, input);
  const kind = input.type === 'INT' ? 'a whole number' : 'a number';
  return {
    type: 'invalid_input_type',
    describe: () => `${quoted(name)} must be ${kind}, not ${shown(value)}`,
  };
};

/** In Python `1 == 1.0 == True`. */
const asNumber = (value: unknown): number | undefined => {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const digits = numberText(value);
  return digits === undefined ? undefined : Number(digits);
};

interface Choices {
  readonly texts: ReadonlySet<unknown>;
  readonly numbers: ReadonlySet<number | undefined>;
}

/** Lists of twenty thousand are searched for each of ten thousand nodes. */
const choicesByList = new WeakMap<readonly CatalogueOption[], Choices>();

const choicesOf = (options: readonly CatalogueOption[]): Choices => {
  const known = choicesByList.get(options);
  if (known !== undefined) return known;
  const choices = { texts: new Set(options), numbers: new Set(options.map(asNumber)) };
  choicesByList.set(options, choices);
  return choices;
};

/** Separators count as alike in model paths: a pod on Windows lists `sub\\model.safetensors`. */
const isAmong = (value: unknown, options: readonly CatalogueOption[]): boolean => {
  const { texts, numbers } = choicesOf(options);
  if (typeof value === 'string' && isModelFile(value)) {
    return spellingsOf(value).some((spelling) => texts.has(spelling));
  }
  if (typeof value === 'string' || value === null) return texts.has(value);
  const number = asNumber(value);
  return number !== undefined && numbers.has(number);
};

const LIST_ROOM = 170;

const describeNotInList = (name: string, value: unknown, options: readonly CatalogueOption[]): string => {
  if (options.length === 0) return `${quoted(name)} is ${shown(value)}, but there is nothing to choose from`;
  const texts = options.map((option) => (option === null ? 'null' : String(option)));
  const originals = new Map(options.map((option, index) => [texts[index] ?? '', option]));
  const ordered = typeof value === 'string' ? nearestFirst(value, texts) : texts;
  const list = someOf(ordered, (text) => shown(originals.get(text)), LIST_ROOM);
  return `${quoted(name)} is ${shown(value)}, not one of ${list}`;
};

/** What ComfyUI would refuse in a value that is no link, or undefined. */
export const checkValue = (name: string, raw: unknown, input: CatalogueInput): Finding | undefined => {
  if (input.dynamic === true || input.upload === true) return undefined;
  const value = unwrapped(raw);
  if (input.type === 'INT') return checkNumber(name, value, pythonInt(value), input);
  if (input.type === 'FLOAT') return checkNumber(name, value, pythonFloat(value), input);
  const { options } = input;
  if (options === undefined || isAmong(value, options)) return undefined;
  // A folder that was empty may hold files by now; model files are what a catalogue is renewed for.
  if (options.length === 0 && !(typeof value === 'string' && isModelFile(value))) return undefined;
  return { type: 'value_not_in_list', describe: () => describeNotInList(name, value, options) };
};

const isLoose = (type: string): boolean => /^(?:\*|any|any_?type|combo|comfy_.*)$/i.test(type);

const typesOf = (type: string): readonly string[] => type.split(',').map((part) => part.trim());

/** Whether ComfyUI lets an output of one type into an input of the other. Types in commas are alternatives. */
export const typesFit = (received: string, wanted: string): boolean => {
  const [from, to] = [typesOf(received), typesOf(wanted)];
  return [...from, ...to].some(isLoose) || from.some((type) => to.includes(type));
};

/** The type of an output slot: `*` where ComfyUI did not say, undefined where the class has no such slot. */
export const outputTypeAt = (outputs: readonly string[] | null, slot: number): string | undefined => {
  if (outputs === null) return '*';
  // Some classes answer any slot with their last, untyped one.
  return outputs[slot] ?? (outputs.at(-1) === '*' ? '*' : undefined);
};
