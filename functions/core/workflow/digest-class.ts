/**
 * One class of ComfyUI's /object_info in compact form. Whatever cannot be read is left unchecked: a catalogue may
 * know too little of a pod, but must never refuse what the pod would run.
 * Source: https://docs.comfy.org/custom-nodes/backend/datatypes
 */
import { isLosslessNumber } from 'lossless-json';
import type { CatalogueClass, CatalogueInput, CatalogueOption } from './catalogue-class.ts';
import { isJsonObject, numberText, ownValue, type JsonObject } from './json-value.ts';

const MAX_TYPE = 256;
const MAX_OPTION = 1024;
const MAX_DIGITS = 400;

/** Files that come and go with uploads and runs; models are no part of them. */
const MEDIA_FILE =
  /\.(?:png|jpe?g|webp|gif|bmp|tiff?|avif|mp4|webm|mov|mkv|avi|m4v|wav|mp3|flac|ogg|opus|m4a|aac|latent|glb|gltf|obj|fbx|stl|ply|usdz|spz|splat|ksplat|exr|psd)$/i;

/** Folders of jobs: whoever learns such a name can read what is in it. */
const JOB_FOLDER = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/i;

/** Digits that are exact. Doubles beyond 2^53 are not, and come only from a text that had to be repaired. */
const exactNumber = (value: unknown): string | undefined => {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return undefined;
  const text = numberText(value);
  return text === undefined || text.length > MAX_DIGITS ? undefined : text;
};

const boundsOf = (config: JsonObject): Pick<CatalogueInput, 'min' | 'max'> => {
  const [min, max] = [exactNumber(ownValue(config, 'min')), exactNumber(ownValue(config, 'max'))];
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
};

/** The option, or undefined for what no JSON scalar can stand for exactly. */
const optionOf = (value: unknown): CatalogueOption | undefined => {
  if (typeof value === 'string') return value.length <= MAX_OPTION ? value : undefined;
  if (typeof value === 'boolean' || value === null) return value;
  const text = exactNumber(value);
  const double = Number(text);
  return text === undefined || (Number.isInteger(double) && !Number.isSafeInteger(double))
    ? undefined
    : double;
};

const optionsOf = (listed: unknown, maxOptions: number): readonly CatalogueOption[] | undefined => {
  if (!Array.isArray(listed) || listed.length > maxOptions) return undefined;
  const options: CatalogueOption[] = [];
  for (const item of listed as readonly unknown[]) {
    const option = optionOf(item);
    if (option === undefined) return undefined;
    options.push(option);
  }
  const isPassing = (option: CatalogueOption): boolean =>
    typeof option === 'string' && (MEDIA_FILE.test(option) || JOB_FOLDER.test(option));
  return options.some(isPassing) ? undefined : options;
};

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;

const isUpload = (config: JsonObject): boolean =>
  Object.entries(config).some(([key, value]) => /(?:_upload|^image_folder)$/.test(key) && isSet(value));

const choice = (listed: unknown, config: JsonObject, maxOptions: number): CatalogueInput => {
  if (isUpload(config)) return { type: 'COMBO', upload: true };
  if (isSet(ownValue(config, 'remote')) || ownValue(config, 'multiselect') === true) {
    return { type: 'COMBO', dynamic: true };
  }
  const options = optionsOf(listed, maxOptions);
  return { type: 'COMBO', ...(options === undefined ? {} : { options }) };
};

const inputOf = (type: unknown, config: JsonObject, maxOptions: number): CatalogueInput => {
  if (Array.isArray(type)) return choice(type, config, maxOptions);
  if (type === 'COMBO') return choice(ownValue(config, 'options'), config, maxOptions);
  if (typeof type !== 'string' || type.length > MAX_TYPE || type === 'COMFY_MATCHTYPE_V3')
    return { type: '*' };
  if (type.startsWith('COMFY_')) return { type, dynamic: true };
  return { type, ...(isUpload(config) ? { upload: true } : {}), ...boundsOf(config) };
};

/** @param spec as ComfyUI writes it: `["INT", {min, max}]`, `[[…values], {}]` or `["COMBO", {options}]` */
const digestInput = (spec: unknown, maxOptions: number): CatalogueInput => {
  const [type, settings] = Array.isArray(spec) ? (spec as readonly unknown[]) : [];
  const config = isJsonObject(settings) ? settings : {};
  const input = inputOf(type, config, maxOptions);
  return Object.hasOwn(config, 'default') ? { ...input, hasDefault: true } : input;
};

const digestInputs = (group: unknown, maxOptions: number): Readonly<Record<string, CatalogueInput>> => {
  if (!isJsonObject(group)) return {};
  return Object.fromEntries(
    Object.entries(group).map(([name, spec]) => [name, digestInput(spec, maxOptions)] as const),
  );
};

const outputType = (type: unknown): string => {
  if (Array.isArray(type)) return 'COMBO';
  return typeof type === 'string' && type.length <= MAX_TYPE && !isLosslessNumber(type) ? type : '*';
};

/** The class, or undefined for what is no description of one. Never throws. */
export const digestClass = (info: unknown, maxOptions: number): CatalogueClass | undefined => {
  const input = isJsonObject(info) ? ownValue(info, 'input') : undefined;
  if (!isJsonObject(info) || !isJsonObject(input)) return undefined;
  const output = ownValue(info, 'output');
  return {
    outputNode: ownValue(info, 'output_node') === true,
    required: digestInputs(ownValue(input, 'required'), maxOptions),
    optional: digestInputs(ownValue(input, 'optional'), maxOptions),
    outputs: Array.isArray(output) ? output.map(outputType) : null,
  };
};
