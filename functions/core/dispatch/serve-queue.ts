/** One pass over the queue: decides what goes where, one job at a time. What it decides is delivered by others. */
import type { Pass, Turn } from './pass.ts';
import { placeJob, type Placement } from './place-job.ts';
import type { DispatchDependencies } from './ports.ts';

/**
 * A lost race means that another dispatcher got on, and whoever gets on looks again before it ends: a loser that keeps
 * losing may leave the rest to it. Were all to go on, twenty dispatchers of one busy user would hardly let one through.
 */
const MAX_LOST_IN_ROW = 5;
const FIRST_WAIT_MS = 25;

/** What one pass may do, and to whom it hands what it has decided. */
export interface Service {
  /** False when no further job may be begun. */
  readonly mayGoOn: () => boolean;
  readonly deliver: (placement: Placement, pass: Pass) => void;
  /** One job that cannot be read or placed does not keep the others waiting. */
  readonly onFailure: (jobId: string, error: unknown) => void;
}

/** Losers that came back at once would meet again (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). */
const afterRace = async (lostInRow: number, pass: Pass, { clock, random }: DispatchDependencies) => {
  await clock.sleep(random() * FIRST_WAIT_MS * 2 ** lostInRow);
  await pass.refreshSlots();
};

/** True when a race was lost on it. */
const serveTurn = async (
  turn: Turn,
  pass: Pass,
  service: Service,
  deps: DispatchDependencies,
): Promise<boolean> => {
  try {
    const placed = await placeJob(turn, pass, deps);
    if (placed.kind === 'placed') service.deliver(placed.placement, pass);
    if (placed.kind !== 'again') pass.drop(turn.entry);
    return placed.kind === 'again' || placed.kind === 'inHand';
  } catch (error) {
    pass.drop(turn.entry);
    service.onFailure(turn.entry.jobId, error);
    return false;
  }
};

/** True when it stopped because it might not go on, so that jobs may wait that could have been placed. */
const serveTurns = async (pass: Pass, service: Service, deps: DispatchDependencies): Promise<boolean> => {
  let lostInRow = 0;
  while (pass.pool.hasFree() && lostInRow < MAX_LOST_IN_ROW) {
    const turn = await pass.next();
    if (turn === undefined) return false;
    if (!service.mayGoOn()) return true;
    const lost = await serveTurn(turn, pass, service, deps);
    lostInRow = lost ? lostInRow + 1 : 0;
    if (lost) await afterRace(lostInRow, pass, deps);
  }
  return false;
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

/**
 * Serves whose turn it is until slots or jobs are out. A job that no free worker can run is passed over, and waits.
 * True when jobs may be left that could be placed.
 */
export const serveQueue = async (
  pass: Pass,
  service: Service,
  deps: DispatchDependencies,
): Promise<boolean> => {
  if (pass.paused) return false;
  const isCutShort = await serveTurns(pass, service, deps);
  reportUnplaceable(pass, deps);
  await settleEmptyQueues(pass, deps);
  return isCutShort;
};
