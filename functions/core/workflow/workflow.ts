/** Reads a workflow in ComfyUI's API format, and refuses what can never run before a GPU is paid for. */
import { isLosslessNumber } from 'lossless-json';
import { isJsonObject, ownValue } from './json-value.ts';
import { checkCycles, checkLinks } from './links.ts';
import { NodeErrorList, type NodeErrors } from './node-errors.ts';
import { oneLine, quoted } from './one-line.ts';
import type { Workflow, WorkflowNode } from './workflow-node.ts';

export type { NodeErrors } from './node-errors.ts';
export type { Workflow, WorkflowNode } from './workflow-node.ts';

export type WorkflowReading =
  | { readonly kind: 'ok'; readonly workflow: Workflow }
  | { readonly kind: 'invalid'; readonly message: string; readonly nodeErrors?: NodeErrors };

export const MAX_NODES = 10_000;
const MAX_NAME = 256;

/** Levels of objects and lists, the workflow itself being the first. Real workflows have about six. */
const MAX_DEPTH = 100;

const LISTS_INPUTS =
  'it lists the files of every user of a worker; use LoadImage, upload files with POST /api/v1/files and name them in inputs';

/**
 * Pictures that go over the socket alone: a lost frame is a lost picture, and nothing could be stored. And classes whose
 * choices are what other users' tasks made or were given.
 */
const UNSUPPORTED_CLASSES: ReadonlyMap<string, string> = new Map([
  ['SaveImageWebsocket', 'it sends pictures over a socket only, so they cannot be stored; use SaveImage'],
  ['LoadImageOutput', LISTS_INPUTS],
  ['LoadImageSetFromFolderNode', LISTS_INPUTS],
  ['LoadImageTextSetFromFolderNode', LISTS_INPUTS],
  ['LoadImageDataSetFromFolder', LISTS_INPUTS],
  ['LoadImageTextDataSetFromFolder', LISTS_INPUTS],
]);

const isContainer = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !isLosslessNumber(value);

/** Level by level, because recursion would fall to what it looks for. ComfyUI recurses, and answers 500 to it. */
const isTooDeep = (workflow: object): boolean => {
  let level: readonly object[] = [workflow];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((container) => Object.values(container).filter(isContainer));
  }
  return false;
};

const invalid = (message: string): WorkflowReading => ({ kind: 'invalid', message: oneLine(message) });

const titleOf = (meta: unknown): { readonly title?: string } => {
  const title = isJsonObject(meta) ? ownValue(meta, 'title') : undefined;
  return typeof title === 'string' ? { title: title.slice(0, MAX_NAME) } : {};
};

/** The node, or one line that says why it is none. */
const readNode = (id: string, value: unknown): WorkflowNode | string => {
  if (id.length > MAX_NAME) return `a node id has more than ${MAX_NAME} characters`;
  const place = `node ${quoted(id)}`;
  if (!isJsonObject(value)) return `${place} must be an object with class_type and inputs`;
  const classType = ownValue(value, 'class_type');
  if (typeof classType !== 'string' || classType === '') return `${place} has no class_type`;
  if (classType.length > MAX_NAME) return `${place} has a class_type of more than ${MAX_NAME} characters`;
  const inputs = ownValue(value, 'inputs');
  if (!isJsonObject(inputs)) return `${place} (${quoted(classType)}) has no inputs object`;
  const refusal = UNSUPPORTED_CLASSES.get(classType);
  if (refusal !== undefined) return `${place} uses ${classType}: ${refusal}`;
  return { classType, inputs: new Map(Object.entries(inputs)), ...titleOf(ownValue(value, '_meta')) };
};

const readNodes = (entries: readonly (readonly [string, unknown])[]): Workflow | string => {
  const workflow = new Map<string, WorkflowNode>();
  for (const [id, value] of entries) {
    const node = readNode(id, value);
    if (typeof node === 'string') return node;
    workflow.set(id, node);
  }
  return workflow;
};

/** What keeps the value from being a map of nodes at all, or undefined. */
const shapeProblem = (value: unknown): string | undefined => {
  if (value === undefined) return 'the workflow is missing; send it in API format';
  if (!isJsonObject(value)) return 'the workflow must be an object in API format: node id → node';
  if (Array.isArray(ownValue(value, 'nodes')) && Array.isArray(ownValue(value, 'links'))) {
    return 'the workflow is a UI-format export; in ComfyUI use Workflow → Export (API) and send that';
  }
  if (isTooDeep(value)) return `the workflow is nested more than ${MAX_DEPTH} levels deep`;
  const count = Object.keys(value).length;
  if (count === 0) return 'the workflow holds no node';
  return count > MAX_NODES ? `the workflow has ${count} nodes; at most ${MAX_NODES} are allowed` : undefined;
};

/**
 * Checks what can be checked without knowing any pod: shape, size, dangling links, cycles. Never throws.
 * Stricter than ComfyUI in one thing: a dangling link or a cycle is refused even where it spoils only some of the
 * outputs, which ComfyUI would drop silently.
 * Source: https://docs.comfy.org/development/api-development/workflow-api-format
 * @param value the workflow as lossless-json parsed it
 */
export const parseWorkflow = (value: unknown): WorkflowReading => {
  const problem = shapeProblem(value);
  if (problem !== undefined) return invalid(problem);
  const workflow = readNodes(Object.entries(value as object));
  if (typeof workflow === 'string') return invalid(workflow);
  const errors = new NodeErrorList();
  checkLinks(workflow, errors);
  checkCycles(workflow, errors);
  if (errors.count === 0) return { kind: 'ok', workflow };
  return { kind: 'invalid', message: errors.message(), nodeErrors: errors.toNodeErrors() };
};
