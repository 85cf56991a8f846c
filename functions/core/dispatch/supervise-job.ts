/** A job that is due: nothing was heard of it for as long as it may be silent. */
import { isActive } from '../job-guards.ts';
import type { Job } from '../job.ts';
import type { Worker } from '../worker.ts';
import { confirmEnding, UNREACHABLE_MS } from './confirm-ending.ts';
import { askToEnd } from './ask-to-end.ts';
import { failureOfAbsent } from './blame.ts';
import { abandonAttempt, endAttempt } from './end-attempt.ts';
import { loseAttempt } from './lose-attempt.ts';
import type { DispatchDependencies } from './ports.ts';
import { ENDING_MS, moveOn, NEXT_SWEEP_MS, postpone } from './postpone.ts';
import { settleUnheard } from './settle-unheard.ts';
import { superviseWaiting } from './supervise-waiting.ts';

/** Storing takes one delivery of 15 minutes at the longest. */
export const STORING_MS = 20 * 60_000;

const iso = (ms: number): string => new Date(ms).toISOString();

const superviseStoring = async (
  job: Job,
  storingSince: string,
  deps: DispatchDependencies,
): Promise<void> => {
  const end = Date.parse(storingSince) + STORING_MS;
  const now = deps.clock.now();
  if (now < end) return postpone(job, end - now, deps);
  return endAttempt(job, { reason: 'internal', message: 'outputs could not be stored' }, deps);
};

const startOf = ({ startedAt, assignedAt, updatedAt }: Job): number =>
  Date.parse(startedAt ?? assignedAt ?? updatedAt);

/**
 * It has run for longer than it may, unless it has finished meanwhile and nobody said so: ComfyUI is told, and the next
 * sweep looks whether it obeyed.
 */
const timeOut = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const found = await deps.comfyUi.findPrompt(worker.endpoint, job.promptId ?? '');
  if (found === 'finished') return settleUnheard(job, worker, deps);
  const now = deps.clock.now();
  const patch = { endingSince: iso(now), endingReason: 'timeout', dueAt: iso(now + ENDING_MS) } as const;
  const ending = await moveOn(job, patch, deps);
  if (ending === undefined) return;
  const { jobId, attempt, timeoutSeconds } = job;
  deps.logger.warn('job.timeout', { jobId, attempt, timeoutSeconds });
  await deps.comfyUi.endPrompt(worker.endpoint, job.promptId ?? '');
};

const superviseRunning = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const end = startOf(job) + job.timeoutSeconds * 1000;
  const now = deps.clock.now();
  return now < end ? postpone(job, end - now, deps) : timeOut(job, worker, deps);
};

const unreachable = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const age = deps.clock.now() - Date.parse(job.assignedAt ?? job.updatedAt);
  if (age <= UNREACHABLE_MS) return postpone(job, NEXT_SWEEP_MS, deps);
  const message = `ComfyUI of worker ${worker.workerId} does not answer`;
  return abandonAttempt(job, { reason: 'workerStalled', message }, deps);
};

/**
 * A prompt that ComfyUI never got (the dispatcher died before POST), or lost, starts a new attempt; so does one on a
 * ComfyUI that cannot be asked for long, for nobody else would ever end it. One that runs although nobody said so
 * counts as running from now on, so that it can time out.
 */
const superviseStart = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const now = deps.clock.now();
  switch (await deps.comfyUi.findPrompt(worker.endpoint, job.promptId ?? '')) {
    case 'pending':
      return superviseWaiting(job, worker, deps);
    case 'running': {
      const startedAt = iso(now);
      const dueAt = iso(now + job.timeoutSeconds * 1000);
      await moveOn(job, { status: 'running', startedAt, dueAt }, deps);
      return;
    }
    case 'finished':
      return settleUnheard(job, worker, deps);
    case 'unreachable':
      return unreachable(job, worker, deps);
    case 'absent':
      return endAttempt(job, failureOfAbsent(job, worker), deps);
  }
};

/** Its ComfyUI is stuck with another prompt: this one will never have its turn. */
const leaveStuckWorker = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const message = `worker ${worker.workerId} is stuck with another prompt`;
  const found = await askToEnd(worker, job.promptId ?? '', deps);
  if (found === 'absent') return endAttempt(job, { reason: 'workerStalled', message }, deps);
  if (found === 'finished') return settleUnheard(job, worker, deps);
  const age = deps.clock.now() - Date.parse(job.assignedAt ?? job.updatedAt);
  if (age <= UNREACHABLE_MS) return postpone(job, NEXT_SWEEP_MS, deps);
  return abandonAttempt(job, { reason: 'workerStalled', message }, deps);
};

const superviseActive = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  // It fell silent just when it was given the job, and the sweep of the worker did not see it there.
  if (worker.condition === 'lost') return loseAttempt(job, worker, deps);
  if (job.endingSince !== null) return confirmEnding(job, worker, deps);
  if (job.status === 'running') return superviseRunning(job, worker, deps);
  return worker.quarantined ? leaveStuckWorker(job, worker, deps) : superviseStart(job, worker, deps);
};

/** Does what is due for the job, if it still is: the index lags. */
export const superviseJob = async (jobId: string, deps: DispatchDependencies): Promise<void> => {
  const job = await deps.jobs.get(jobId);
  if (job === undefined || job.dueAt === null || Date.parse(job.dueAt) > deps.clock.now()) return;
  if (!isActive(job)) return;
  if (job.storingSince !== null) return superviseStoring(job, job.storingSince, deps);
  const worker = job.workerId === null ? undefined : await deps.workers.get(job.workerId);
  if (worker !== undefined) return superviseActive(job, worker, deps);
  return endAttempt(job, { reason: 'workerLost', message: 'its worker is not registered any more' }, deps);
};
