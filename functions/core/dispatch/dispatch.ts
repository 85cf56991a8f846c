/** One pass of the dispatcher: pending jobs, fairly between users, to workers that can run them. */
import { PipelineError } from '../errors.ts';
import { openPass, type Pass } from './pass.ts';
import { placeJob, type Placed } from './place-job.ts';
import type { DispatchDependencies } from './ports.ts';

export interface DispatchReport {
  readonly dispatched: number;
  /** Workers that held nothing when the pass began. */
  readonly idleWorkers: number;
  /** Slots that were free when the pass began, those of the prefetch among them. */
  readonly freeSlots: number;
}

/** No job is begun after this: its files may take minutes, and the function has five. */
const PASS_MS = 60_000;
/** A share that changes under our hands means that another dispatcher gets on: so often it may, in one pass. */
const MAX_RACES = 500;

/** One job that cannot be read or placed must not keep the others waiting: it is logged, and thrown at the end. */
const takeTurn = async (
  turn: Parameters<typeof placeJob>[0],
  pass: Pass,
  failures: unknown[],
  deps: DispatchDependencies,
): Promise<Placed> => {
  try {
    return await placeJob(turn, pass, deps);
  } catch (error) {
    failures.push(error);
    deps.logger.error('dispatch.failed', { jobId: turn.entry.jobId, reason: String(error) });
    return 'over';
  }
};

const serve = async (pass: Pass, failures: unknown[], deps: DispatchDependencies): Promise<number> => {
  const deadline = deps.clock.now() + PASS_MS;
  let dispatched = 0;
  let races = 0;
  while (pass.pool.hasFree() && races < MAX_RACES && deps.clock.now() < deadline) {
    const turn = await pass.next();
    if (turn === undefined) break;
    const placed = await takeTurn(turn, pass, failures, deps);
    if (placed === 'again') races += 1;
    else pass.drop(turn.entry);
    if (placed === 'dispatched') dispatched += 1;
  }
  return dispatched;
};

/** Users whose queues were found empty are not looked at again until they have an entry. */
const settleEmptyQueues = async (pass: Pass, deps: DispatchDependencies): Promise<void> => {
  for (const [userId, queue] of pass.queues()) {
    const stamp = pass.stampOf(userId);
    if (queue.isEmpty() && stamp !== null) await deps.shares.settleEmpty(userId, stamp);
  }
};

/** Once a pass, with one example: jobs that wait because no registered worker has what they need. */
const reportUnplaceable = (pass: Pass, { logger }: DispatchDependencies): void => {
  const missing = [...pass.queues().values()].flatMap((queue) =>
    queue.waiting().flatMap(({ jobId, needs }) => {
      const lacks = pass.pool.missing(needs);
      return lacks === undefined ? [] : [{ jobId, missing: lacks.slice(0, 10) }];
    }),
  );
  const [example] = missing;
  if (example !== undefined) logger.warn('dispatch.no-worker-can', { jobs: missing.length, ...example });
};

/** Repeating the pass cures what is not known to be incurable. */
const throwIfRetryable = (failures: readonly unknown[]): void => {
  const retryable = failures.find((error) => !(error instanceof PipelineError) || error.retryable);
  if (retryable !== undefined) throw retryable;
};

/**
 * Serves whose turn it is, one job at a time, until slots or jobs are out. A job that no free worker can run is passed
 * over, and waits.
 * @throws what kept a job from being placed, once all others have been, unless repeating cannot cure it
 */
export const dispatchPending = async (deps: DispatchDependencies): Promise<DispatchReport> => {
  const pass = await openPass(deps);
  const report = { idleWorkers: pass.pool.idleWorkers(), freeSlots: pass.pool.freeSlots() };
  if (pass.paused || report.freeSlots === 0) return { dispatched: 0, ...report };
  const failures: unknown[] = [];
  const dispatched = await serve(pass, failures, deps);
  reportUnplaceable(pass, deps);
  await settleEmptyQueues(pass, deps);
  throwIfRetryable(failures);
  return { dispatched, ...report };
};
