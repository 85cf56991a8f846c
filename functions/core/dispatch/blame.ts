/** What an attempt may have done of which nothing was ever heard. */
import type { Job, JobFailure } from '../job.ts';
import type { Worker } from '../worker.ts';

/**
 * Of an attempt whose ComfyUI is gone. ComfyUI begins at once with a prompt that has nothing of ours before it, so it
 * went down with that one, though no frame came through; one that was queued behind another is not to blame.
 */
export const blamedUnheard = ({ startedAt, status, queuedBehind }: Job, failure: JobFailure): JobFailure => {
  const wasHeard = startedAt !== null || status === 'running';
  return !wasHeard && queuedBehind === 0 ? { ...failure, unheard: true } : failure;
};

/** Its monitor has connected anew since the job was given to it. */
const hasReconnected = ({ assignedAt }: Job, { connectedAt }: Worker): boolean =>
  assignedAt !== null && connectedAt !== undefined && Date.parse(connectedAt) > Date.parse(assignedAt);

/**
 * Of a prompt that ComfyUI has neither queued nor in its history. Both are gone after a restart, which its monitor
 * noticed as a new connection; otherwise nobody ever sent it there.
 */
export const failureOfAbsent = (job: Job, worker: Worker): JobFailure => {
  if (!hasReconnected(job, worker))
    return { reason: 'dispatchFailed', message: 'the prompt never reached ComfyUI' };
  const message = `ComfyUI of worker ${worker.workerId} restarted while it had the prompt`;
  return blamedUnheard(job, { reason: 'comfyRestarted', message });
};
