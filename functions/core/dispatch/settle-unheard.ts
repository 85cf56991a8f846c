/** A prompt that ran and finished without a word of its monitor. */
import { outcomeOfHistory } from '../../../shared-types/index.ts';
import { failureOfHistory } from '../history-failure.ts';
import type { Job, JobFailure } from '../job.ts';
import type { Worker } from '../worker.ts';
import { endAttempt } from './end-attempt.ts';
import { finishUnheard } from './finish-unheard.ts';
import type { DispatchDependencies } from './ports.ts';
import { NEXT_SWEEP_MS, postpone } from './postpone.ts';

/** A monitor that was away reports what it missed as soon as it is back: how an attempt failed it knows best. */
const PATIENCE_MS = 300_000;

/**
 * One that succeeded is completed at once, whether its monitor comes back or not: whoever of the two is later changes
 * nothing. For the others the monitor is waited for; then the history says how the attempt failed.
 */
export const settleUnheard = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const history = await deps.comfyUi.history(worker.endpoint, job.promptId ?? '');
  if (history.kind === 'found' && (await finishUnheard(job, worker, history.entry, deps))) return;
  const age = deps.clock.now() - Date.parse(job.assignedAt ?? job.updatedAt);
  if (age < PATIENCE_MS || history.kind === 'unreachable') return postpone(job, NEXT_SWEEP_MS, deps);
  const failure = history.kind === 'found' ? failureOfHistory(outcomeOfHistory(history.entry)) : undefined;
  const unheard = {
    reason: 'vanished',
    message: 'the prompt ended, and its monitor never told of it',
  } as const;
  return endAttempt(job, failure ?? unheard, deps);
};

/**
 * Its worker is gone, so nobody will tell: what the history says decides. That it was interrupted is our own doing,
 * and means that the worker was lost, unless it had taken too long before.
 */
export const settleFinished = async (
  job: Job,
  worker: Worker,
  lost: JobFailure,
  deps: DispatchDependencies,
): Promise<void> => {
  const history = await deps.comfyUi.history(worker.endpoint, job.promptId ?? '');
  if (history.kind === 'found' && (await finishUnheard(job, worker, history.entry, deps))) return;
  const failure = history.kind === 'found' ? failureOfHistory(outcomeOfHistory(history.entry)) : undefined;
  const isOurs = failure?.reason === 'interrupted' && job.endingReason !== 'timeout';
  return endAttempt(job, failure === undefined || isOurs ? lost : failure, deps);
};
