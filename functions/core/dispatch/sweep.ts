/** The one-minute sweep: heals what a lost wake-up, a crashed dispatch or a silent worker left behind. */
import type { DispatchDependencies } from './ports.ts';
import { superviseJob } from './supervise-job.ts';
import { sweepShares } from './sweep-shares.ts';
import { sweepWorker } from './sweep-workers.ts';

export { START_GRACE_MS } from './start-grace.ts';
export { UNREACHABLE_MS } from './confirm-ending.ts';

/** Jobs of one sweep; the longest overdue first, so that the next one goes on where this one stopped. */
const MAX_DUE = 200;
/** A ComfyUI that does not answer takes ten seconds a question. */
const CONCURRENT = 8;

type Logged = Readonly<Record<string, string>>;

/** What fails does not keep the others from being swept. */
const guarded = async (
  what: Logged,
  work: () => Promise<void>,
  deps: DispatchDependencies,
): Promise<void> => {
  try {
    await work();
  } catch (error) {
    deps.logger.error('sweep.failed', { ...what, reason: String(error) });
  }
};

const forEach = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  const left = items.values();
  const next = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, next));
};

const superviseDue = async (deps: DispatchDependencies): Promise<void> => {
  const due = await deps.index.due(new Date(deps.clock.now()).toISOString(), MAX_DUE);
  await forEach(due, (jobId) => guarded({ jobId }, () => superviseJob(jobId, deps), deps));
};

/** Workers first: what a lost one held is settled with it. */
export const sweep = async (deps: DispatchDependencies): Promise<void> => {
  await forEach(await deps.workers.list(), (worker) =>
    guarded({ workerId: worker.workerId }, () => sweepWorker(worker, deps), deps),
  );
  await guarded({ part: 'due' }, () => superviseDue(deps), deps);
  await guarded({ part: 'shares' }, () => sweepShares(deps), deps);
};
