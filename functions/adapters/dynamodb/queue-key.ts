/** Where an entry stands in the queue of its user. */
import { queueRank } from '../../core/dispatch/queue-rank.ts';
import type { QueueEntry } from '../../core/ports.ts';

/**
 * Sorts as the queue is dispatched; the same entry has the same key, so that a second put replaces the first.
 * @throws PipelineError `queue.invalidEntry`
 */
export const queueSortKey = (entry: QueueEntry): string =>
  `${queueRank(entry)}#${entry.queuedAt}#${entry.jobId}`;
