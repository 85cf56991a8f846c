/**
 * What the nodes of a pod take and give: a compact form of ComfyUI's GET /object_info, plain JSON to be stored.
 * Source: https://docs.comfy.org/development/comfyui-server/comms_routes
 */
import { createHash } from 'node:crypto';
import { parse } from 'lossless-json';
import { readComfyUiJson } from '../../../shared-types/index.ts';
import type { CatalogueClass, CatalogueInput, CatalogueOption } from './catalogue-class.ts';
import { digestClass } from './digest-class.ts';
import { isJsonObject, ownValue } from './json-value.ts';
import { isModelFile } from './model-files.ts';
import { oneLine } from './one-line.ts';

export type { CatalogueClass, CatalogueInput } from './catalogue-class.ts';

/** Read its record with `Object.hasOwn`: a class may be called `__proto__`. */
export interface Catalogue {
  readonly classes: Readonly<Record<string, CatalogueClass>>;
}

export interface DigestLimits {
  /** Characters of the text. */
  readonly maxCharacters: number;
  readonly maxClasses: number;
  /** A longer list of choices is left unchecked. */
  readonly maxOptions: number;
}

export type CatalogueReading =
  | { readonly kind: 'ok'; readonly catalogue: Catalogue }
  | { readonly kind: 'invalid'; readonly message: string };

const DEFAULT_LIMITS: DigestLimits = {
  maxCharacters: 64 * 1024 * 1024,
  maxClasses: 20_000,
  maxOptions: 20_000,
};

const MAX_CLASS_NAME = 256;

const invalid = (message: string): CatalogueReading => ({ kind: 'invalid', message: oneLine(message) });

/**
 * With every digit where the text is JSON; where Python wrote bare NaN or Infinity, numbers are doubles and
 * `digestClass` drops those that a double cannot hold.
 */
const readObjectInfo = (text: string): unknown => {
  try {
    return parse(text, null, { onDuplicateKey: ({ newValue }) => newValue });
  } catch {
    const reading = readComfyUiJson(text);
    return reading.kind === 'ok' ? reading.value : undefined;
  }
};

/**
 * Reads the answer of GET /object_info, whatever a pod sends. Never throws. Entries that describe no class are
 * left out; choices that change at every upload, or of more than `maxOptions` values, are kept without values.
 */
export const digestObjectInfo = (text: string, limits: Partial<DigestLimits> = {}): CatalogueReading => {
  const { maxCharacters, maxClasses, maxOptions } = { ...DEFAULT_LIMITS, ...limits };
  if (text.length > maxCharacters) return invalid(`object_info has more than ${maxCharacters} characters`);
  const value = readObjectInfo(text);
  if (!isJsonObject(value)) return invalid('object_info is no JSON object of node classes');
  const classes: [string, CatalogueClass][] = [];
  for (const [name, info] of Object.entries(value)) {
    const digest = name.length <= MAX_CLASS_NAME ? digestClass(info, maxOptions) : undefined;
    if (digest !== undefined) classes.push([name, digest]);
    if (classes.length > maxClasses) return invalid(`object_info has more than ${maxClasses} classes`);
  }
  if (classes.length === 0) return invalid('object_info describes no node class');
  return { kind: 'ok', catalogue: { classes: Object.fromEntries(classes) } };
};

const isOption = (value: unknown): value is CatalogueOption =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

const isOptionalText = (value: unknown): boolean => value === undefined || typeof value === 'string';

const isFlag = (value: unknown): boolean => value === undefined || value === true;

const isInput = (value: unknown): value is CatalogueInput => {
  if (!isJsonObject(value) || typeof ownValue(value, 'type') !== 'string') return false;
  const options = ownValue(value, 'options');
  return (
    (options === undefined || (Array.isArray(options) && options.every(isOption))) &&
    isOptionalText(ownValue(value, 'min')) &&
    isOptionalText(ownValue(value, 'max')) &&
    ['hasDefault', 'upload', 'dynamic'].every((key) => isFlag(ownValue(value, key)))
  );
};

const areInputs = (value: unknown): boolean => isJsonObject(value) && Object.values(value).every(isInput);

const isOutputs = (value: unknown): boolean =>
  value === null || (Array.isArray(value) && value.every((type) => typeof type === 'string'));

const isClass = (value: unknown): value is CatalogueClass =>
  isJsonObject(value) &&
  typeof ownValue(value, 'outputNode') === 'boolean' &&
  areInputs(ownValue(value, 'required')) &&
  areInputs(ownValue(value, 'optional')) &&
  isOutputs(ownValue(value, 'outputs'));

/** Reads a stored catalogue as JSON.parse gave it. Never throws. Unknown keys are ignored. */
export const parseCatalogue = (json: unknown): CatalogueReading => {
  const classes = isJsonObject(json) ? ownValue(json, 'classes') : undefined;
  if (!isJsonObject(classes)) return invalid('a catalogue is an object with classes');
  for (const [name, value] of Object.entries(classes)) {
    if (!isClass(value))
      return invalid(`the catalogue's class ${JSON.stringify(name.slice(0, 64))} is malformed`);
  }
  return { kind: 'ok', catalogue: { classes: classes as Catalogue['classes'] } };
};

const byKey = ([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number =>
  left < right ? -1 : left > right ? 1 : 0;

const sorted = <Value>(record: Readonly<Record<string, Value>>): [string, Value][] =>
  Object.entries(record).sort(byKey);

/** The order of choices depends on the pod's file system, and decides nothing. */
const canonicalInput = ([name, input]: readonly [string, CatalogueInput]): unknown => [
  name,
  input.type,
  input.options?.map((option) => JSON.stringify(option)).sort() ?? null,
  input.min ?? null,
  input.max ?? null,
  [input.hasDefault === true, input.upload === true, input.dynamic === true],
];

const canonicalClass = ([name, entry]: readonly [string, CatalogueClass]): unknown => [
  name,
  entry.outputNode,
  sorted(entry.required).map(canonicalInput),
  sorted(entry.optional).map(canonicalInput),
  entry.outputs,
];

/** SHA-256 in hex, the same for two pods with the same nodes and models, in whatever order they list them. */
export const catalogueHash = (catalogue: Catalogue): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(catalogue.classes).map(canonicalClass)))
    .digest('hex');

const inputsOf = (entry: CatalogueClass): readonly CatalogueInput[] => [
  ...Object.values(entry.required),
  ...Object.values(entry.optional),
];

/** Every choice of the catalogue that names a model file, once, sorted; spelled as the pod lists it. */
export const modelsOf = (catalogue: Catalogue): readonly string[] => {
  const models = new Set<string>();
  for (const input of Object.values(catalogue.classes).flatMap(inputsOf)) {
    for (const option of input.options ?? []) {
      if (typeof option === 'string' && isModelFile(option)) models.add(option);
    }
  }
  return [...models].sort();
};
