/**
 * One input of one node against what its class declares, as ComfyUI checks it before a prompt is queued. Where a
 * class may have rules of its own that /object_info does not tell, the value passes.
 * Source: https://github.com/Comfy-Org/ComfyUI/blob/master/execution.py
 */
import type { CatalogueInput, CatalogueOption } from './catalogue-class.ts';
import { isJsonObject, numberText, ownValue } from './json-value.ts';
import { isModelFile, spellingsOf } from './model-files.ts';
import { nearestFirst } from './nearest.ts';
import type { NodeErrorType } from './node-errors.ts';
import { quoted, someOf } from './one-line.ts';
import { compareToBound, pythonFloat, pythonInt, type PythonNumber } from './python-number.ts';

export interface Finding {
  readonly type: NodeErrorType;
  readonly message: string;
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
    const message = `${quoted(name)} is ${shown(value)}, smaller than the minimum ${min.slice(0, 40)}`;
    return { type: 'value_smaller_than_min', message };
  }
  if (max !== undefined && compareToBound(number, max) > 0) {
    const message = `${quoted(name)} is ${shown(value)}, bigger than the maximum ${max.slice(0, 40)}`;
    return { type: 'value_bigger_than_max', message };
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
  return { type: 'invalid_input_type', message: `${quoted(name)} must be ${kind}, not ${shown(value)}` };
};

/** In Python `1 == 1.0 == True`. */
const asNumber = (value: unknown): number | undefined => {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const digits = numberText(value);
  return digits === undefined ? undefined : Number(digits);
};

/** Separators count as alike in model paths: a pod on Windows lists `sub\model.safetensors`. */
const isAmong = (value: unknown, options: readonly CatalogueOption[]): boolean => {
  if (typeof value === 'string') {
    const spellings = isModelFile(value) ? spellingsOf(value) : [value];
    return spellings.some((spelling) => options.includes(spelling));
  }
  if (value === null) return options.includes(null);
  const number = asNumber(value);
  return number !== undefined && options.some((option) => asNumber(option) === number);
};

const LIST_ROOM = 170;

const notInList = (name: string, value: unknown, options: readonly CatalogueOption[]): Finding => {
  const type = 'value_not_in_list';
  if (options.length === 0) {
    return { type, message: `${quoted(name)} is ${shown(value)}, but there is nothing to choose from` };
  }
  const texts = options.map((option) => (option === null ? 'null' : String(option)));
  const nearest = typeof value === 'string' ? nearestFirst(value, texts) : texts;
  const original = new Map(options.map((option, index) => [texts[index] ?? '', option]));
  const list = someOf(
    nearest.map((text) => shown(original.get(text))),
    LIST_ROOM,
  );
  return { type, message: `${quoted(name)} is ${shown(value)}, not one of ${list}` };
};

/** ComfyUI wraps values that would else look like links. */
const unwrapped = (value: unknown): unknown =>
  isJsonObject(value) && Object.hasOwn(value, '__value__') ? ownValue(value, '__value__') : value;

/** What ComfyUI would refuse in a value that is no link, or undefined. */
export const checkValue = (name: string, raw: unknown, input: CatalogueInput): Finding | undefined => {
  if (input.dynamic === true || input.upload === true) return undefined;
  const value = unwrapped(raw);
  if (input.type === 'INT') return checkNumber(name, value, pythonInt(value), input);
  if (input.type === 'FLOAT') return checkNumber(name, value, pythonFloat(value), input);
  if (input.options === undefined || isAmong(value, input.options)) return undefined;
  return notInList(name, value, input.options);
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
