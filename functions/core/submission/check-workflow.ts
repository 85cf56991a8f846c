/** Refuses what can never run, before a GPU is paid for. ComfyUI itself checks the rest. */
import { isLosslessNumber } from 'lossless-json';

type JsonObject = Record<string, unknown>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isLosslessNumber(value);

const short = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);

/** Its pictures go over the socket alone: a lost frame is a lost picture, and nothing could be stored. */
const UNSUPPORTED_CLASSES: ReadonlyMap<string, string> = new Map([
  ['SaveImageWebsocket', 'it sends pictures over a socket only, so they cannot be stored; use SaveImage'],
]);

const checkNode = (id: string, node: unknown): string | undefined => {
  if (!isObject(node)) return `payload node ${short(id)} must be an object with class_type and inputs`;
  const { class_type: classType, inputs } = node;
  if (typeof classType !== 'string' || classType === '') return `payload node ${short(id)} has no class_type`;
  if (classType.length > 256) return `payload node ${short(id)} has a class_type of more than 256 characters`;
  if (!isObject(inputs)) return `payload node ${short(id)} (${short(classType)}) has no inputs object`;
  const refusal = UNSUPPORTED_CLASSES.get(classType);
  return refusal === undefined ? undefined : `payload node ${short(id)} uses ${classType}: ${refusal}`;
};

/** Levels of objects and lists, the payload itself being the first. Real workflows have about six. */
const MAX_DEPTH = 100;

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

/** One line that says what is wrong with an API-format workflow, or undefined. */
export const checkWorkflow = (workflow: unknown): string | undefined => {
  if (workflow === undefined) return 'payload is missing; send the API-format workflow there';
  if (!isObject(workflow)) return 'payload must be an object: the API-format workflow, node id → node';
  if (Array.isArray(workflow['nodes']) && Array.isArray(workflow['links'])) {
    return 'payload is a UI-format export; in ComfyUI use Workflow → Export (API) and send that';
  }
  if (isTooDeep(workflow)) return `payload is nested more than ${MAX_DEPTH} levels deep`;
  const nodes = Object.entries(workflow);
  if (nodes.length === 0) return 'payload holds no node';
  for (const [id, node] of nodes) {
    const problem =
      id.length > 256 ? 'payload has a node id of more than 256 characters' : checkNode(id, node);
    if (problem !== undefined) return problem;
  }
  return undefined;
};
