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
/**
 * A lost race means that another dispatcher got on, and whoever gets on looks again before it ends: a loser that keeps
 * losing may leave the rest to it. Were all to go on, twenty dispatchers of one busy user would hardly let one through.
 */
const MAX_LOST_IN_ROW = 5;
const FIRST_WAIT_MS = 25;

/** Losers that came back at once would meet again (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). */
const afterRace = async (lostInRow: number, pass: Pass, { clock, random }: DispatchDependencies) => {
  await clock.sleep(random() * FIRST_WAIT_MS * 2 ** lostInRow);
  await pass.refreshSlots();
};

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

const serve = async (
  pass: Pass,
  failures: unknown[],
  deadline: number,
  deps: DispatchDependencies,
): Promise<number> => {
  let dispatched = 0;
  let lostInRow = 0;
  while (pass.pool.hasFree() && lostInRow < MAX_LOST_IN_ROW && deps.clock.now() < deadline) {
    const turn = await pass.next();
    if (turn === undefined) break;
    const placed = await takeTurn(turn, pass, failures, deps);
    if (placed !== 'again') pass.drop(turn.entry);
    if (placed === 'dispatched') {
      dispatched += 1;
      lostInRow = 0;
    }
    if (placed === 'again' || placed === 'inHand') await afterRace((lostInRow += 1), pass, deps);
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

const onePass = async (
  failures: unknown[],
  deadline: number,
  deps: DispatchDependencies,
): Promise<DispatchReport> => {
  const pass = await openPass(deps);
  const report = { idleWorkers: pass.pool.idleWorkers(), freeSlots: pass.pool.freeSlots() };
  if (pass.paused || report.freeSlots === 0) return { dispatched: 0, ...report };
  const dispatched = await serve(pass, failures, deadline, deps);
  reportUnplaceable(pass, deps);
  await settleEmptyQueues(pass, deps);
  return { dispatched, ...report };
};

/**
 * Serves whose turn it is, one job at a time, until slots or jobs are out. A job that no free worker can run is passed
 * over, and waits. After a pass that gave something out another one looks at what came meanwhile, for a dispatcher that
 * was woken by it may have lost its races to this one, and left.
 * @throws what kept a job from being placed, once all others have been, unless repeating cannot cure it
 */
export const dispatchPending = async (deps: DispatchDependencies): Promise<DispatchReport> => {
  const failures: unknown[] = [];
  const deadline = deps.clock.now() + PASS_MS;
  const report = await onePass(failures, deadline, deps);
  let { dispatched } = report;
  for (let more = dispatched; more > 0 && failures.length === 0 && deps.clock.now() < deadline;) {
    ({ dispatched: more } = await onePass(failures, deadline, deps));
    dispatched += more;
  }
  throwIfRetryable(failures);
  return { ...report, dispatched };
};
