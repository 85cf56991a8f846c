/** What the nodes of an attempt did, as those who watch it get it. */
import type { NodeRecord } from '../../shared-types/index.ts';
import type { NodeTransition } from './ports.ts';

/** Records of one message. */
export const MAX_NODE_RECORDS = 200;

export const nodeRecordOf = (transition: NodeTransition): NodeRecord => {
  const { nodeId, nodeName, nodeType, state, at, durationMs, cached } = transition;
  return {
    nodeId,
    nodeName,
    nodeType,
    state: cached === true ? 'cached' : state,
    at,
    durationMs: durationMs ?? null,
  };
};

/** One record a node, its last; in the order in which they began; the last `MAX_NODE_RECORDS`. */
export const nodeRecordsOf = (transitions: readonly NodeTransition[]): NodeRecord[] => {
  const records = new Map<string, NodeRecord>();
  const sorted = transitions.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  for (const transition of sorted) records.set(transition.nodeId, nodeRecordOf(transition));
  return [...records.values()].slice(-MAX_NODE_RECORDS);
};
