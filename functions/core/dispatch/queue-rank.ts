/** The order of one user's queue: priority with ageing. */
import { PipelineError } from '../errors.ts';
import type { QueueEntry } from '../ports.ts';

/** Milliseconds of waiting that one level of priority is worth. */
const PRIORITY_STEP_MS = 300_000;

const DIGITS = 15;

/**
 * Sorts as text, least first: when the entry was queued, moved back by five minutes for each level of priority. A task
 * of priority 0 therefore passes a fresh one of 10 after 50 minutes, and no task waits for ever.
 * @throws PipelineError `queue.invalidEntry` when `queuedAt` is no instant
 */
export const queueRank = ({ queuedAt, priority }: Pick<QueueEntry, 'queuedAt' | 'priority'>): string => {
  const rank = Date.parse(queuedAt) - priority * PRIORITY_STEP_MS;
  if (!Number.isFinite(rank)) {
    const what = `queuedAt ${JSON.stringify(queuedAt)}, priority ${String(priority)}`;
    throw new PipelineError('queue.invalidEntry', `no rank for ${what}`, { retryable: false });
  }
  return String(Math.max(0, Math.round(rank))).padStart(DIGITS, '0');
};
