/** When a job becomes pending again. */
import type { Job } from './job.ts';

/**
 * ISO 8601, by default `nowMs`; but later than when it was last queued and not before it was assigned, whatever the
 * clock of this machine says: entries are told apart by this instant.
 */
export const requeuedAt = ({ queuedAt, assignedAt }: Job, nowMs: number): string =>
  new Date(
    Math.max(nowMs, Date.parse(queuedAt) + 1, assignedAt === null ? 0 : Date.parse(assignedAt)),
  ).toISOString();
