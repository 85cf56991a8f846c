/** The one-minute sweep: heals what a lost wake-up, a crashed dispatch or a silent worker left behind. */
import { ACTIVE_STATUSES, type Job, type JobFailure, type JobGuard } from '../job.ts';
import { settleFailure } from '../settle-failure.ts';
import type { Worker } from '../worker.ts';
import type { DispatchDependencies } from './ports.ts';

/** A worker is lost after this long without a heartbeat (three of them). */
export const WORKER_LEASE_MS = 60_000;
/** An assigned job that has not started after this long is looked for in ComfyUI. */
export const START_GRACE_MS = 60_000;
/** An assigned job whose ComfyUI cannot be asked is given up after this long. */
export const UNREACHABLE_GRACE_MS = 300_000;

const since = (iso: string | null, now: number): number => (iso === null ? 0 : now - Date.parse(iso));

const isActive = (job: Job): boolean => (ACTIVE_STATUSES as readonly string[]).includes(job.status);

/**
 * True when the job that a worker holds ended, moved on, is another worker's, or was never assigned. Two workers may
 * hold one attempt number of a job, after a claim whose assignment failed: the job says whose it is.
 */
const holdsNothing = (worker: Worker, job: Job | undefined): boolean =>
  job === undefined ||
  job.attempt !== worker.currentAttempt ||
  job.workerId !== worker.workerId ||
  !isActive(job) ||
  job.storingSince !== null;

const free = async (worker: Worker, deps: DispatchDependencies): Promise<void> => {
  if (worker.currentJobId === null || worker.currentAttempt === null) return;
  await deps.workers.release(worker.workerId, worker.currentJobId, worker.currentAttempt);
};

/** Nothing was heard of the attempt since the job was read: an event that arrives in between wins. */
const unchanged = (job: Job): JobGuard => ({
  jobId: job.jobId,
  attempt: job.attempt,
  statuses: ACTIVE_STATUSES,
  ...(job.workerId === null ? {} : { workerId: job.workerId }),
  eventSequenceBelow: job.eventSequence + 1,
});

/** Ends the attempt that a worker holds, if it still is that job's attempt, and frees the worker. */
const endAttempt = async (
  worker: Worker,
  job: Job | undefined,
  failure: JobFailure,
  deps: DispatchDependencies,
) => {
  if (job === undefined || holdsNothing(worker, job)) return free(worker, deps);
  await settleFailure(job, failure, deps, unchanged(job));
  if (holdsNothing(worker, await deps.jobs.get(job.jobId))) await free(worker, deps);
};

const loseWorker = async (
  worker: Worker,
  job: Job | undefined,
  deps: DispatchDependencies,
): Promise<void> => {
  if (!(await deps.workers.markLost(worker.workerId, worker.lastSeenAt))) return;
  deps.logger.warn('worker.lost', { workerId: worker.workerId, lastSeenAt: worker.lastSeenAt });
  const message = `worker ${worker.workerId} fell silent`;
  await endAttempt(worker, job, { reason: 'workerLost', message }, deps);
};

/**
 * A prompt that ComfyUI never got (the dispatcher died before POST), or lost, starts a new attempt; so does one on a
 * ComfyUI that cannot be asked for long, for nobody else would ever end it.
 */
const checkStart = async (worker: Worker, job: Job, deps: DispatchDependencies): Promise<void> => {
  const found = await deps.comfyUi.findPrompt(worker.endpoint, job.promptId ?? '');
  if (found === 'unreachable' && since(worker.assignedAt, deps.clock.now()) > UNREACHABLE_GRACE_MS) {
    const unanswered = `ComfyUI of worker ${worker.workerId} does not answer`;
    return endAttempt(worker, job, { reason: 'workerStalled', message: unanswered }, deps);
  }
  if (found !== 'absent') return;
  const message = 'the prompt never reached ComfyUI';
  await endAttempt(worker, job, { reason: 'dispatchFailed', message }, deps);
};

const sweepWorker = async (worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const now = deps.clock.now();
  const job = worker.currentJobId === null ? undefined : await deps.jobs.get(worker.currentJobId);
  const silent = since(worker.lastSeenAt, now) > WORKER_LEASE_MS;
  if (silent && worker.status !== 'lost' && worker.status !== 'stopped') return loseWorker(worker, job, deps);
  if (worker.currentJobId === null || worker.currentAttempt === null) return;
  // Claim and assignment are two writes, milliseconds apart: what is young is left to its dispatcher.
  if (since(worker.assignedAt, now) < START_GRACE_MS) return;
  if (job === undefined || holdsNothing(worker, job)) {
    await free(worker, deps);
  } else if (silent) {
    // Stopped, or lost in a sweep that failed half-way.
    const message = `worker ${worker.workerId} ${worker.status === 'stopped' ? 'stopped' : 'fell silent'}`;
    await endAttempt(worker, job, { reason: 'workerLost', message }, deps);
  } else if (job.status === 'assigned') {
    await checkStart(worker, job, deps);
  }
};

/** Sweeps every worker; one that fails does not keep the others from being swept. */
export const sweep = async (deps: DispatchDependencies): Promise<void> => {
  for (const worker of await deps.workers.list()) {
    try {
      await sweepWorker(worker, deps);
    } catch (error) {
      deps.logger.error('sweep.failed', { workerId: worker.workerId, reason: String(error) });
    }
  }
};
