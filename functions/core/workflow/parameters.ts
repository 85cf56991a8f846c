/** Named parameters of a workflow: which inputs of which nodes a caller may set, and setting them in its text. */
import { type LosslessNumber, stringify } from 'lossless-json';
import { PipelineError } from '../errors.ts';
import {
  isJsonObject,
  numberText,
  ownValue,
  parseJsonObject,
  setOwn,
  type JsonObject,
} from './json-value.ts';
import { readLink } from './links.ts';
import { oneLine, quoted, someOf } from './one-line.ts';
import type { Workflow } from './workflow-node.ts';

export interface InputAddress {
  readonly nodeId: string;
  readonly input: string;
}

/** The inputs that one parameter sets; at least one. */
export type ParameterTarget = readonly InputAddress[];

export type ParametersReading =
  | { readonly kind: 'ok'; readonly parameters: ReadonlyMap<string, ParameterTarget> }
  | { readonly kind: 'invalid'; readonly message: string };

export type FileSource =
  { readonly kind: 'file'; readonly fileId: string } | { readonly kind: 'url'; readonly url: string };

/** A file to be brought to the pod before the workflow can run, and the input that then takes its name. */
export interface FileInput extends InputAddress {
  readonly source: FileSource;
}

export type AppliedInputs =
  | { readonly kind: 'ok'; readonly workflowText: string; readonly files: readonly FileInput[] }
  | { readonly kind: 'invalid'; readonly message: string };

const SEPARATOR = '.inputs.';
const MAX_PARAMETERS = 200;
const MAX_TARGETS = 100;
const MAX_NAME = 128;
const MAX_URL = 2048;

const invalid = (message: string): { readonly kind: 'invalid'; readonly message: string } => ({
  kind: 'invalid',
  message: oneLine(message),
});

/** `<node id>.inputs.<input>`, split at the last `.inputs.`: node ids of subgraphs hold dots and colons. */
const parseAddress = (path: string): InputAddress | undefined => {
  const at = path.lastIndexOf(SEPARATOR);
  const input = path.slice(at + SEPARATOR.length);
  return at < 1 || input === '' ? undefined : { nodeId: path.slice(0, at), input };
};

const pathOf = ({ nodeId, input }: InputAddress): string => `${nodeId}${SEPARATOR}${input}`;

const targetProblem = (workflow: Workflow, { nodeId, input }: InputAddress): string | undefined => {
  const node = workflow.get(nodeId);
  if (node === undefined) return `node ${quoted(nodeId)} is not there`;
  const place = `node ${quoted(nodeId)} (${quoted(node.classType)})`;
  if (!node.inputs.has(input)) return `${place} has no input ${quoted(input)}`;
  if (readLink(node.inputs.get(input)) !== undefined) return `input ${quoted(input)} of ${place} is a link`;
  return undefined;
};

/** The addresses, or one line that says why there are none. */
const readTarget = (name: string, value: unknown, workflow: Workflow): ParameterTarget | string => {
  const paths: readonly unknown[] = Array.isArray(value) ? value : [value];
  const place = `parameter ${quoted(name)}`;
  if (paths.length === 0) return `${place} has no target`;
  if (paths.length > MAX_TARGETS) return `${place} has more than ${MAX_TARGETS} targets`;
  const targets = new Map<string, InputAddress>();
  for (const path of paths) {
    const address = typeof path === 'string' ? parseAddress(path) : undefined;
    if (address === undefined)
      return `${place} must name a target such as "6.inputs.text", or a list of them`;
    const problem = targetProblem(workflow, address);
    if (problem !== undefined) return `${place}: ${problem}`;
    targets.set(pathOf(address), address);
  }
  return [...targets.values()];
};

const nameProblem = (name: string): string | undefined => {
  if (name === '' || name.length > MAX_NAME) return `a parameter's name has 1 to ${MAX_NAME} characters`;
  return name.includes(SEPARATOR) ? `parameter ${quoted(name)} is named like a target` : undefined;
};

/**
 * Reads `{"prompt": "6.inputs.text", "seed": ["3.inputs.seed", "4.inputs.seed"]}`; undefined means none. Every
 * target must be a value of the workflow, not a link. At most 200 names of 100 targets each. Never throws.
 */
export const parseParameters = (value: unknown, workflow: Workflow): ParametersReading => {
  if (value === undefined) return { kind: 'ok', parameters: new Map() };
  if (!isJsonObject(value))
    return invalid('parameters must be an object: name → target such as "6.inputs.text"');
  const entries = Object.entries(value);
  if (entries.length > MAX_PARAMETERS) return invalid(`there are more than ${MAX_PARAMETERS} parameters`);
  const parameters = new Map<string, ParameterTarget>();
  for (const [name, target] of entries) {
    const read = nameProblem(name) ?? readTarget(name, target, workflow);
    if (typeof read === 'string') return invalid(read);
    parameters.set(name, read);
  }
  return { kind: 'ok', parameters };
};

type Scalar = string | number | boolean | bigint | LosslessNumber;

/** What goes into the workflow: a value, or a file whose name only the pod will know. */
type Replacement =
  { readonly kind: 'value'; readonly value: Scalar } | { readonly kind: 'file'; readonly source: FileSource };

const kindOf = (value: unknown): 'number' | 'boolean' | 'text' | 'other' => {
  if (numberText(value) !== undefined) return 'number';
  if (typeof value === 'boolean') return 'boolean';
  return typeof value === 'string' ? 'text' : 'other';
};

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const isHttpsUrl = (text: string): boolean => {
  if (text.length > MAX_URL || !URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' && url.username === '' && url.password === '';
};

const FILE_FORM = '{"file_id": "<uuid>"} or {"url": "https://…"}';

const readFile = (name: string, value: JsonObject): Replacement | string => {
  const [key, ...others] = Object.keys(value);
  const target = key === undefined ? undefined : ownValue(value, key);
  if (others.length === 0 && key === 'file_id') {
    return typeof target === 'string' && UUID.test(target)
      ? { kind: 'file', source: { kind: 'file', fileId: target.toLowerCase() } }
      : `${quoted(name)}: file_id must be a UUID`;
  }
  if (others.length === 0 && key === 'url') {
    return typeof target === 'string' && isHttpsUrl(target)
      ? { kind: 'file', source: { kind: 'url', url: target } }
      : `${quoted(name)}: url must be an https address of at most ${MAX_URL} characters, without a password`;
  }
  return `${quoted(name)} must be a text, a number, true or false, or a file: ${FILE_FORM}`;
};

const readReplacement = (name: string, value: unknown): Replacement | string => {
  if (value === null || value === undefined) return `${quoted(name)} is null; leave it out to keep the value`;
  if (Array.isArray(value)) return `${quoted(name)} is a list; links and lists cannot be set`;
  if (isJsonObject(value)) return readFile(name, value);
  const isValue = typeof value === 'string' || typeof value === 'boolean' || numberText(value) !== undefined;
  return isValue ? { kind: 'value', value: value as Scalar } : `${quoted(name)} is no JSON value`;
};

/** A number stays a number and a switch a switch; a text may become anything, for ComfyUI turns it into text. */
const kindProblem = (name: string, old: unknown, replacement: Replacement): string | undefined => {
  const kept = kindOf(old);
  if (kept !== 'number' && kept !== 'boolean') return undefined;
  const word = kept === 'number' ? 'a number' : 'true or false';
  if (replacement.kind === 'file') return `${quoted(name)} must be ${word}, not a file`;
  return kindOf(replacement.value) === kept ? undefined : `${quoted(name)} must be ${word}`;
};

/** The inputs of the node that hold the address, to be changed in place; or undefined. */
const inputsAt = (workflow: JsonObject, { nodeId, input }: InputAddress): JsonObject | undefined => {
  const node = ownValue(workflow, nodeId);
  const inputs = isJsonObject(node) ? ownValue(node, 'inputs') : undefined;
  return isJsonObject(inputs) && Object.hasOwn(inputs, input) ? inputs : undefined;
};

const unknownInput = (name: string, parameters: ReadonlyMap<string, ParameterTarget>): string => {
  const known = [...parameters.keys()];
  const list =
    known.length === 0 ? 'the workflow has no parameters' : `parameters are ${someOf(known, quoted, 120)}`;
  return `there is no parameter ${quoted(name)}; ${list}; a path such as "6.inputs.text" works as well`;
};

/** Sets one target, or answers one line that says why not. */
const setTarget = (
  workflow: JsonObject,
  name: string,
  address: InputAddress,
  replacement: Replacement,
): string | undefined => {
  const inputs = inputsAt(workflow, address);
  if (inputs === undefined) return `${quoted(name)}: the workflow has no input ${quoted(pathOf(address))}`;
  const old = ownValue(inputs, address.input);
  if (readLink(old) !== undefined) return `${quoted(name)}: ${quoted(pathOf(address))} is a link`;
  const problem = kindProblem(name, old, replacement);
  if (problem !== undefined) return problem;
  setOwn(inputs, address.input, replacement.kind === 'value' ? replacement.value : '');
  return undefined;
};

/**
 * Puts a task's inputs into the text of its workflow. Every other value keeps its digits. An input's name is that
 * of a parameter, or a path itself. A file leaves an empty text, to be filled by `fillFiles`. Never throws.
 * @param inputs name → value as lossless-json read it
 */
export const applyInputs = (
  workflowText: string,
  inputs: ReadonlyMap<string, unknown>,
  parameters: ReadonlyMap<string, ParameterTarget>,
): AppliedInputs => {
  if (inputs.size === 0) return { kind: 'ok', workflowText, files: [] };
  const workflow = parseJsonObject(workflowText);
  if (workflow === undefined) return invalid('the workflow is no JSON object');
  const files = new Map<string, FileInput>();
  const set = new Set<string>();
  for (const [name, value] of inputs) {
    const path = parseAddress(name);
    const targets = parameters.get(name) ?? (path === undefined ? undefined : [path]);
    if (targets === undefined) return invalid(unknownInput(name, parameters));
    const replacement = readReplacement(name, value);
    if (typeof replacement === 'string') return invalid(replacement);
    for (const address of targets) {
      const key = pathOf(address);
      if (set.has(key))
        return invalid(`${quoted(name)} sets ${quoted(key)}, which another input sets as well`);
      set.add(key);
      const problem = setTarget(workflow, name, address, replacement);
      if (problem !== undefined) return invalid(problem);
      if (replacement.kind === 'file') files.set(key, { ...address, source: replacement.source });
    }
  }
  return { kind: 'ok', workflowText: stringify(workflow) ?? workflowText, files: [...files.values()] };
};

/** An input, and the name under which the pod keeps the file that it is to read. */
export interface FileName extends InputAddress {
  readonly name: string;
}

/**
 * Puts the names that ComfyUI's POST /upload/image answered where `applyInputs` left an empty text.
 * @throws PipelineError `workflow.unreadable` or `workflow.no-such-input`, not retryable: the text is not the one
 * that `applyInputs` gave
 */
export const fillFiles = (workflowText: string, names: readonly FileName[]): string => {
  if (names.length === 0) return workflowText;
  const workflow = parseJsonObject(workflowText);
  if (workflow === undefined) {
    throw new PipelineError('workflow.unreadable', 'the workflow is no JSON object', { retryable: false });
  }
  for (const { nodeId, input, name } of names) {
    const inputs = inputsAt(workflow, { nodeId, input });
    if (inputs === undefined) {
      const message = oneLine(`the workflow has no input ${quoted(pathOf({ nodeId, input }))}`);
      throw new PipelineError('workflow.no-such-input', message, { retryable: false });
    }
    setOwn(inputs, input, name);
  }
  return stringify(workflow) ?? workflowText;
};
