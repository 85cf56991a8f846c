/** How a run shows its values to others. */
import { NodeFailure } from './errors.ts';
import type { NodeIdentity } from './node-progress.ts';
import type { QueueItem } from './prompt-queue.ts';
import type { JsonObject } from './python-json.ts';
import { dumps, isJsonObject, isNumeric } from './python-json.ts';

export function metaOf(node: NodeIdentity): JsonObject {
  return {
    node_id: node.nodeId,
    display_node: node.displayId,
    parent_node: node.parentId,
    real_node_id: node.realId,
  };
}

export function toNodeFailure(error: unknown): NodeFailure {
  if (error instanceof NodeFailure) return error;
  return new NodeFailure('RuntimeError', error instanceof Error ? error.message : String(error));
}

export function describeValue(value: unknown): unknown {
  if (value === undefined || value === null) return 'None';
  const plain = typeof value === 'string' || typeof value === 'boolean' || isNumeric(value);
  if (plain) return value;
  return isJsonObject(value) && 'kind' in value ? `<${String(value['kind'])}>` : dumps(value);
}

/** `prompt`, and one text for each member of `extra_pnginfo` such as `workflow`: what PNG readers look for. */
export function pngTexts(item: QueueItem): Map<string, string> {
  const texts = new Map([['prompt', dumps(item.prompt)]]);
  const extra = item.extraData['extra_pnginfo'];
  if (!isJsonObject(extra)) return texts;
  for (const [key, value] of Object.entries(extra)) {
    if (/^[\x20-\x7e]{1,79}$/.test(key)) texts.set(key, dumps(value));
  }
  return texts;
}
