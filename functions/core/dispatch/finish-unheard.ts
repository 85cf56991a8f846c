/** A prompt succeeded, and nobody but its ComfyUI says so: it is completed from the history, and not repeated. */
import {
  outcomeOfHistory,
  outputsOfHistory,
  timesOfHistory,
  type HistoryEntry,
} from '../../../shared-types/index.ts';
import type { Job } from '../job.ts';
import { taskEventBase } from '../task-event.ts';
import type { Worker } from '../worker.ts';
import { freeAttempt } from './give-back.ts';
import type { DispatchDependencies } from './ports.ts';
import { NEXT_SWEEP_MS, postpone } from './postpone.ts';

/** `job-completion` takes the event up within seconds; one that it never could take is not repeated for ever. */
const GIVE_UP_MS = 20 * 60_000;

/** By our clock alone: an attempt that may run for so long has ended by then, or has been ended. */
const isGivenUp = ({ startedAt, assignedAt, updatedAt, timeoutSeconds }: Job, now: number): boolean =>
  now - Date.parse(startedAt ?? assignedAt ?? updatedAt) > timeoutSeconds * 1000 + GIVE_UP_MS;

/**
 * The event has one id for each attempt, so that a sweep may publish it again until it is taken up. The slot and the
 * share are free from now on, as they are after `Job Completed`: nothing runs there any more.
 */
const tellFinished = async (
  job: Job,
  { workerId, promptId }: { readonly workerId: string; readonly promptId: string },
  entry: HistoryEntry,
  deps: DispatchDependencies,
): Promise<void> => {
  const { jobId, userId, attempt } = job;
  const times = timesOfHistory(entry);
  const durationMs = times === undefined ? null : times.to - times.from;
  const { files, texts } = outputsOfHistory(entry);
  const detail = {
    ...taskEventBase(job, 'Task Finished Unheard'),
    ...(times === undefined ? {} : { timestamp: new Date(times.to).toISOString() }),
    workerId,
    promptId,
    durationMs,
    outputCount: files.length + texts.length,
  };
  deps.logger.warn('job.finished-unheard', { jobId, attempt, workerId });
  await deps.publisher.publish([{ detailType: 'Task Finished Unheard', detail }]);
  await freeAttempt(workerId, { userId, jobId, attempt }, durationMs, deps);
  await postpone(job, NEXT_SWEEP_MS, deps);
};

/** False when there is nothing to complete: it did not succeed, nobody waits for it, or it ran for too long. */
export const finishUnheard = async (
  job: Job,
  { workerId }: Worker,
  entry: HistoryEntry,
  deps: DispatchDependencies,
): Promise<boolean> => {
  const { promptId } = job;
  const isWanted = job.cancelRequestedAt === null && job.endingReason === null;
  if (promptId === null || !isWanted || outcomeOfHistory(entry).kind !== 'succeeded') return false;
  if (isGivenUp(job, deps.clock.now())) return false;
  await tellFinished(job, { workerId, promptId }, entry, deps);
  return true;
};
