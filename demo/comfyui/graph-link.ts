import type { JsonObject } from './python-json.ts';
import { isJsonObject, isNumeric, toDouble } from './python-json.ts';

export interface Link {
  readonly nodeId: string;
  readonly slot: number;
}

/** A `[node id, slot]` pair, or null when the value is a plain one. */
export function readLink(value: unknown): Link | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [nodeId, slot] = value as unknown[];
  if (typeof nodeId !== 'string' || !isNumeric(slot)) return null;
  return { nodeId, slot: toDouble(slot) };
}

/** The node under an id, or undefined; never a member of Object.prototype. */
export function nodeOf(prompt: JsonObject, id: string): JsonObject | undefined {
  const node = Object.hasOwn(prompt, id) ? prompt[id] : undefined;
  return isJsonObject(node) ? node : undefined;
}

export function inputsOf(node: JsonObject | undefined): JsonObject {
  const inputs = node && Object.hasOwn(node, 'inputs') ? node['inputs'] : undefined;
  return isJsonObject(inputs) ? inputs : {};
}

export function classOf(node: JsonObject | undefined): string {
  const name = node && Object.hasOwn(node, 'class_type') ? node['class_type'] : undefined;
  return typeof name === 'string' ? name : '';
}

export function ownValue(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
