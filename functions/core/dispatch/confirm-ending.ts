/** ComfyUI was told to end a prompt: whether it has, and what follows when it has not. */
import { outcomeOfHistory } from '../../../shared-types/index.ts';
import { failureOfHistory } from '../history-failure.ts';
import type { Job, JobFailure } from '../job.ts';
import type { Worker } from '../worker.ts';
import { askToEnd } from './ask-to-end.ts';
import { abandonAttempt, endAttempt } from './end-attempt.ts';
import { freeAttempt } from './give-back.ts';
import { isNotWith } from './holding.ts';
import type { DispatchDependencies } from './ports.ts';
import { ENDING_MS, NEXT_SWEEP_MS, postpone } from './postpone.ts';

/** After the prompt is over, its monitor tells of it; from then on the history has to do. */
export const EVENT_MS = NEXT_SWEEP_MS;
/** How long a ComfyUI that does not answer is asked. */
export const UNREACHABLE_MS = 300_000;

const ended = (job: Job): JobFailure =>
  job.endingReason === 'timeout'
    ? { reason: 'timeout', message: `the attempt took longer than ${job.timeoutSeconds} seconds` }
    : { reason: 'interrupted', message: 'the prompt was ended on its worker' };

/** It may have run for long enough or not: what is certain is that its worker is gone. */
const lost = ({ workerId }: Worker): JobFailure => ({
  reason: 'workerLost',
  message: `ComfyUI of worker ${workerId} does not answer`,
});

/** The monitor has said nothing: what the history says decides, and a success is one that came too late. */
const settleByHistory = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const history = await deps.comfyUi.history(worker.endpoint, job.promptId ?? '');
  if (history.kind === 'unreachable') return postpone(job, EVENT_MS, deps);
  const failure = history.kind === 'found' ? failureOfHistory(outcomeOfHistory(history.entry)) : undefined;
  return endAttempt(job, failure ?? ended(job), deps);
};

/** The other prompts wait behind one that never ends: they are taken out, and go elsewhere. */
const evict = async (
  { jobId, attempt, userId }: Worker['held'][number],
  worker: Worker,
  deps: DispatchDependencies,
): Promise<void> => {
  const job = await deps.jobs.get(jobId);
  if (job === undefined || isNotWith(job, attempt, worker.workerId))
    return freeAttempt(worker.workerId, { jobId, attempt, userId }, null, deps);
  const found = await askToEnd(worker, job.promptId ?? '', deps);
  // It cannot be said that it will not run there: the sweep asks again, and waits for an answer.
  if (found !== 'absent') return postpone(job, NEXT_SWEEP_MS, deps);
  const message = `worker ${worker.workerId} is stuck with another prompt`;
  return endAttempt(job, { reason: 'workerStalled', message }, deps);
};

/** It ignores interrupts: it gets nothing more until its monitor boots anew. */
const quarantine = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const { workerId, bootId } = worker;
  // A monitor that has booted meanwhile starts with a clean slate: look again.
  if (!(await deps.workers.quarantine(workerId, bootId))) return postpone(job, ENDING_MS, deps);
  deps.logger.error('worker.quarantined', { workerId, bootId, jobId: job.jobId });
  for (const held of worker.held) if (held.jobId !== job.jobId) await evict(held, worker, deps);
  return endAttempt(job, ended(job), deps);
};

/** @param job an active one whose `endingSince` is set, and which is due */
export const confirmEnding = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const promptId = job.promptId ?? '';
  const age = deps.clock.now() - Date.parse(job.endingSince ?? '');
  const found = await deps.comfyUi.findPrompt(worker.endpoint, promptId);
  switch (found) {
    case 'absent':
      return endAttempt(job, ended(job), deps);
    case 'finished':
      return age < ENDING_MS + EVENT_MS ? postpone(job, EVENT_MS, deps) : settleByHistory(job, worker, deps);
    case 'running':
    case 'pending':
      if (age >= ENDING_MS && found === 'running') return quarantine(job, worker, deps);
      // It cannot be deleted: it may run some day, and nobody waits for it any more.
      if (age >= UNREACHABLE_MS) return abandonAttempt(job, ended(job), deps);
      await deps.comfyUi.endPrompt(worker.endpoint, promptId);
      return postpone(job, ENDING_MS, deps);
    case 'unreachable':
      // Nobody waits for what was cancelled: it need not be proved that a pod which is gone does not run it.
      return age < (job.cancelRequestedAt === null ? UNREACHABLE_MS : ENDING_MS)
        ? postpone(job, ENDING_MS, deps)
        : abandonAttempt(job, lost(worker), deps);
  }
};
