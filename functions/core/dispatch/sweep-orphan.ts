/** A slot whose attempt is over, while its prompt may still run: the fencing keeps it from counting, not from running. */
import type { EndedAttempt, Job } from '../job.ts';
import type { Assignment, Worker } from '../worker.ts';
import { askToEnd } from './ask-to-end.ts';
import { freeAttempt } from './give-back.ts';
import { isNotWith } from './holding.ts';
import type { DispatchDependencies } from './ports.ts';

/** A pod that does not answer for so long is gone; a prompt that ignores every sweep for so long never ends. */
const ORPHAN_MS = 600_000;

const endedOf = (job: Job | undefined, { attempt }: Assignment, workerId: string): EndedAttempt | undefined =>
  job?.attempts.find(
    (ended) => ended.attempt === attempt && ended.workerId === workerId && ended.outcome !== 'completed',
  );

/** Ends what is left of it in ComfyUI; true while it may still run there. */
const mayStillRun = async (
  { promptId, endedAt }: EndedAttempt,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<boolean> => {
  if (promptId === null) return false;
  const isOld = deps.clock.now() - Date.parse(endedAt) >= ORPHAN_MS;
  const found = await askToEnd(worker, promptId, deps);
  if (found === 'unreachable') return !isOld;
  if (found === 'running' && isOld && worker.condition === 'ready' && !worker.quarantined) {
    const { workerId, bootId } = worker;
    if (await deps.workers.quarantine(workerId, bootId))
      deps.logger.error('worker.quarantined', { workerId, bootId, promptId });
  }
  return found === 'running' || found === 'pending';
};

/** Frees the slot unless the prompt of its attempt may still run. @param job as it is now; not with this attempt */
export const sweepOrphan = async (
  held: Assignment,
  job: Job | undefined,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<void> => {
  const ended = endedOf(job, held, worker.workerId);
  if (ended !== undefined && (await mayStillRun(ended, worker, deps))) return;
  await freeAttempt(worker.workerId, held, null, deps);
};

/** A worker is back: what it was left with, and nobody waits for any more, is ended at once. */
export const endOrphans = async (workerId: string, deps: DispatchDependencies): Promise<void> => {
  const worker = await deps.workers.get(workerId);
  for (const held of worker?.held ?? []) {
    const job = await deps.jobs.get(held.jobId);
    if (worker === undefined || !isNotWith(job, held.attempt, workerId)) continue;
    if (endedOf(job, held, workerId) !== undefined) await sweepOrphan(held, job, worker, deps);
  }
};
