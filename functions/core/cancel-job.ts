/** Cancels a job wherever it is. Idempotent, and of no effect on any other prompt. */
import { ENDING_MS } from './dispatch/postpone.ts';
import { isPastStart } from './dispatch/start-grace.ts';
import { PipelineError } from './errors.ts';
import { pushToFollowers } from './followers.ts';
import { activeGuard, isActive, unchangedGuard } from './job-guards.ts';
import { snapshotOf } from './job-snapshot.ts';
import type { Job, JobPatch } from './job.ts';
import type { ComfyUi, PromptLookup, WorkerStore } from './ports.ts';
import { cancelPending } from './cancel-pending.ts';
import { settleFailure, type SettleDependencies } from './settle-failure.ts';
import { tellCancelledOnce } from './tell-cancelled.ts';

export interface CancelDependencies extends SettleDependencies {
  readonly workers: WorkerStore;
  readonly comfyUi: ComfyUi;
}

export interface CancelRequest {
  readonly jobId: string;
  /** Only a job of this user is found; undefined finds everybody's. */
  readonly userId?: string | undefined;
}

export type CancelAnswer =
  /** It is cancelled, by this request or by an earlier one. */
  | { readonly kind: 'cancelled'; readonly job: Job }
  /** ComfyUI was told, or will be: the job ends within two minutes, as cancelled unless it finished first. */
  | { readonly kind: 'requested'; readonly job: Job }
  /** It completed or failed before. */
  | { readonly kind: 'ended'; readonly job: Job }
  | { readonly kind: 'notFound' };

/** A job moves on between a read and a write only so often. */
const MAX_TRIES = 8;

const iso = (ms: number): string => new Date(ms).toISOString();

/** ComfyUI has finished already where outputs are being stored: there is nothing to end any more. */
const requestPatch = (job: Job, now: number): JobPatch =>
  job.storingSince === null
    ? {
        cancelRequestedAt: iso(now),
        endingSince: job.endingSince ?? iso(now),
        endingReason: job.endingReason ?? 'cancel',
        dueAt: iso(now + ENDING_MS),
      }
    : { cancelRequestedAt: iso(now) };

/** Durable before ComfyUI is asked: whoever ends the attempt from now on ends it as cancelled. */
const requestCancel = async (job: Job, deps: CancelDependencies): Promise<Job | undefined> => {
  if (job.cancelRequestedAt !== null) return job;
  const updated = await deps.jobs.update({
    guard: activeGuard(job),
    patch: requestPatch(job, deps.clock.now()),
  });
  if (updated.kind === 'refused') return undefined;
  await pushToFollowers(updated.job, snapshotOf(updated.job, undefined), deps);
  return updated.job;
};

/** Absence proves an end only of a prompt that was there: one that is on its way to ComfyUI is absent as well. */
const wasThere = (job: Job, before: PromptLookup, now: number): boolean =>
  before === 'pending' || before === 'running' || job.status === 'running' || isPastStart(job, now);

/** Asks ComfyUI to end the prompt; true when it certainly is not there any more, without a history. */
const endInComfyUi = async (job: Job, deps: CancelDependencies): Promise<boolean> => {
  const { workerId, promptId } = job;
  const worker = workerId === null ? undefined : await deps.workers.get(workerId);
  if (worker === undefined || promptId === null || job.storingSince !== null) return false;
  const before = await deps.comfyUi.findPrompt(worker.endpoint, promptId);
  if (before === 'unreachable' || before === 'finished') return false;
  await deps.comfyUi.endPrompt(worker.endpoint, promptId);
  const after = await deps.comfyUi.findPrompt(worker.endpoint, promptId);
  return after === 'absent' && wasThere(job, before, deps.clock.now());
};

const cancelActive = async (job: Job, deps: CancelDependencies): Promise<void> => {
  const asked = await requestCancel(job, deps);
  if (asked === undefined || !(await endInComfyUi(asked, deps))) return;
  const failure = { reason: 'interrupted', message: 'the task was cancelled' } as const;
  await settleFailure(asked, failure, deps, unchangedGuard(asked));
};

/** What the job says after a step; undefined while another step may follow. */
const answerOf = async (job: Job, deps: CancelDependencies): Promise<CancelAnswer | undefined> => {
  switch (job.status) {
    case 'completed':
    case 'failed':
      return { kind: 'ended', job };
    case 'cancelled':
      // An earlier request may have died before it was told.
      await tellCancelledOnce(job, deps);
      return { kind: 'cancelled', job };
    case 'pending': {
      const cancelled = await cancelPending(job, deps);
      return cancelled === undefined ? undefined : { kind: 'cancelled', job: cancelled };
    }
    case 'assigned':
    case 'running': {
      await cancelActive(job, deps);
      const fresh = await deps.jobs.get(job.jobId);
      if (fresh === undefined) return { kind: 'notFound' };
      if (fresh.status === 'cancelled') return { kind: 'cancelled', job: fresh };
      const isAsked = isActive(fresh) && fresh.cancelRequestedAt !== null;
      return isAsked ? { kind: 'requested', job: fresh } : undefined;
    }
  }
};

/**
 * A pending job is cancelled at once. One that a worker has is cancelled once ComfyUI's history, or its absence there,
 * proves that it does not run: at once where it waits in ComfyUI's queue, else by the monitor's `Job Cancelled` or by
 * the sweep.
 * @throws PipelineError `job.contended` (retryable) when the job kept moving on
 */
export const cancelJob = async (
  { jobId, userId }: CancelRequest,
  deps: CancelDependencies,
): Promise<CancelAnswer> => {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const job = await deps.jobs.get(jobId);
    if (job === undefined || (userId !== undefined && job.userId !== userId)) return { kind: 'notFound' };
    const answer = await answerOf(job, deps);
    if (answer !== undefined) return answer;
  }
  throw new PipelineError('job.contended', 'the job kept moving on', { retryable: true });
};
