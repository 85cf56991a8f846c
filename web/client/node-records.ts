/** What the nodes of an attempt did, put together from pieces that may come twice, late or in disorder. */
import type { NodeRecord } from '../../shared-types/index.ts';

/** More than any workflow that people watch has; only the newest are kept. */
const MAX_RECORDS = 2000;

/** A loop runs a node again, so the later word holds; of two at the same time, one that says more than `executing`. */
const isNews = (known: NodeRecord, said: NodeRecord): boolean => {
  const laterMs = Date.parse(said.at) - Date.parse(known.at);
  // By the alphabet: cached, executed, executing. So it does not matter which of them comes first.
  return laterMs > 0 || (laterMs === 0 && said.state < known.state);
};

/**
 * Both lists as one, by node, in the order in which they were met. Adding the same again, in whatever order, changes
 * nothing: then the answer is the very same list.
 */
export const mergeNodes = (
  known: readonly NodeRecord[],
  said: readonly NodeRecord[],
): readonly NodeRecord[] => {
  const byNode = new Map(known.map((record) => [record.nodeId, record]));
  let changed = false;
  for (const record of said) {
    const before = byNode.get(record.nodeId);
    if (before !== undefined && !isNews(before, record)) continue;
    byNode.set(record.nodeId, record);
    changed = true;
  }
  return changed ? [...byNode.values()].slice(-MAX_RECORDS) : known;
};
