/** An attempt on a worker that is gone, as far as we know: its ComfyUI may live on, and must not do the work twice. */
import type { Job, JobFailure } from '../job.ts';
import type { Worker } from '../worker.ts';
import { askToEnd } from './ask-to-end.ts';
import { blamedUnheard } from './blame.ts';
import { abandonAttempt, endAttempt } from './end-attempt.ts';
import type { DispatchDependencies } from './ports.ts';
import { moveOn, NEXT_SWEEP_MS } from './postpone.ts';
import { settleFinished } from './settle-unheard.ts';

/** A ComfyUI that answers is asked by this sweep and the next two. */
const PATIENCE_MS = 2 * NEXT_SWEEP_MS;

/** It still runs: one more sweep asks, and then the next attempt waits no longer. */
const insist = async (job: Job, lost: JobFailure, deps: DispatchDependencies): Promise<void> => {
  const now = deps.clock.now();
  if (job.endingSince !== null && now - Date.parse(job.endingSince) >= PATIENCE_MS)
    return abandonAttempt(job, lost, deps);
  const endingSince = job.endingSince ?? new Date(now).toISOString();
  await moveOn(job, { endingSince, dueAt: new Date(now + NEXT_SWEEP_MS).toISOString() }, deps);
};

/** Of a worker that fell silent or said goodbye. */
export const loseAttempt = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const how = worker.condition === 'stopped' ? 'stopped' : 'fell silent';
  const lost = { reason: 'workerLost', message: `worker ${worker.workerId} ${how}` } as const;
  switch (await askToEnd(worker, job.promptId ?? '', deps)) {
    case 'absent':
      return endAttempt(job, blamedUnheard(job, lost), deps);
    case 'finished':
      return settleFinished(job, worker, lost, deps);
    case 'unreachable':
      return abandonAttempt(job, blamedUnheard(job, lost), deps);
    case 'running':
    case 'pending':
      return insist(job, lost, deps);
  }
};

/** Of a worker whose monitor says that ComfyUI does not answer: one that answers us keeps what it has. */
export const loseUnreachable = async (
  job: Job,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<void> => {
  const { comfyUi, hastyComfyUi = comfyUi } = deps;
  if ((await hastyComfyUi.findPrompt(worker.endpoint, job.promptId ?? '')) !== 'unreachable') return;
  const message = `ComfyUI of worker ${worker.workerId} does not answer`;
  return abandonAttempt(job, blamedUnheard(job, { reason: 'workerLost', message }), deps);
};
