/** The dispatcher: pending jobs, fairly between users, to workers that can run them. */
import { PipelineError } from '../errors.ts';
import { wakeDispatcher } from '../wake-dispatcher.ts';
import { concludeSubmission } from './conclude-submission.ts';
import { createDeliveries, type Deliveries } from './deliveries.ts';
import { openPass, type Pass } from './pass.ts';
import type { Placement } from './place-job.ts';
import type { DispatchDependencies } from './ports.ts';
import { serveQueue, type Service } from './serve-queue.ts';
import { submitPrompt } from './submit-prompt.ts';
import type { HeldTurn } from './turns.ts';

export interface DispatchReport {
  readonly dispatched: number;
  /** Workers that held nothing when the first pass began. */
  readonly idleWorkers: number;
  /** Slots that were free when the first pass began, those of the prefetch among them. */
  readonly freeSlots: number;
  /** Another dispatcher was at it, and serves this wake-up too. */
  readonly leftToAnother: boolean;
}

/** No job is begun after this: its files may take minutes, and the function has five. */
const MAX_BEGIN_MS = 60_000;
/** A pass is over well before the lease of the turn is, and the next one takes it again. */
const PASS_MS = 5000;

interface Run {
  readonly holder: string;
  readonly deadline: number;
  readonly deliveries: Deliveries;
  readonly failures: unknown[];
  /** As the first pass found them. */
  slots: Pick<DispatchReport, 'idleWorkers' | 'freeSlots'> | undefined;
  dispatched: number;
  /** Something came back or was left: slots and jobs are to be looked at again. */
  lookAgain: boolean;
}

const failed = (run: Run, jobId: string, error: unknown, { logger }: DispatchDependencies): void => {
  run.failures.push(error);
  logger.error('dispatch.failed', { jobId, reason: String(error) });
};

/** A prompt that its worker did not take leaves a slot or a job behind: another look finds a place for both. */
const deliverOne = async (
  { job, worker, prompt }: Placement,
  { pool }: Pass,
  run: Run,
  deps: DispatchDependencies,
): Promise<void> => {
  try {
    const outcome = await submitPrompt(job, worker, prompt, deps);
    const delivered = await concludeSubmission(job, worker, outcome, pool, deps);
    if (delivered === 'dispatched') run.dispatched += 1;
    else run.lookAgain = true;
  } catch (error) {
    failed(run, job.jobId, error, deps);
  }
};

const serviceOf = (run: Run, deps: DispatchDependencies): Service => {
  const { clock } = deps;
  const passEnds = Math.min(clock.now() + PASS_MS, run.deadline);
  return {
    mayGoOn: () => run.deliveries.hasRoom() && clock.now() < passEnds,
    deliver: (placement, pass) =>
      run.deliveries.start(placement.worker.workerId, () => deliverOne(placement, pass, run, deps)),
    onFailure: (jobId, error) => failed(run, jobId, error, deps),
  };
};

const onePass = async (run: Run, deps: DispatchDependencies): Promise<void> => {
  run.lookAgain = false;
  const pass = await openPass(deps);
  run.slots ??= { idleWorkers: pass.pool.idleWorkers(), freeSlots: pass.pool.freeSlots() };
  if (await serveQueue(pass, serviceOf(run, deps), deps)) run.lookAgain = true;
};

const hasTime = (run: Run, { clock }: DispatchDependencies): boolean => clock.now() < run.deadline;

/** What failed once in this run is not tried again and again in it. */
const shouldLookAgain = (run: Run, deps: DispatchDependencies): boolean =>
  run.lookAgain && run.failures.length === 0 && hasTime(run, deps);

/** Passes until one has seen every wake-up that was counted; the turn has ended then. */
const decide = async (first: HeldTurn, run: Run, deps: DispatchDependencies): Promise<void> => {
  let turn: HeldTurn | undefined = first;
  while (turn !== undefined) {
    await onePass(run, deps);
    const isDone = !shouldLookAgain(run, deps) || !run.deliveries.hasRoom();
    if (isDone && (await deps.turns.end(turn))) return;
    if (!hasTime(run, deps)) {
      await deps.turns.abandon(run.holder);
      return wakeDispatcher(deps);
    }
    turn = await deps.turns.take(run.holder);
  }
};

/** Undefined when there is nothing more to decide, or another dispatcher is at it. */
const nextTurn = async (run: Run, deps: DispatchDependencies): Promise<HeldTurn | undefined> => {
  for (;;) {
    if (shouldLookAgain(run, deps) && run.deliveries.hasRoom()) return deps.turns.take(run.holder);
    const delivered = run.deliveries.next();
    if (delivered === undefined) return undefined;
    await delivered;
  }
};

/** Deciding is one dispatcher's at a time; what it has decided is delivered meanwhile and after. */
const runTurns = async (first: HeldTurn, run: Run, deps: DispatchDependencies): Promise<void> => {
  try {
    for (let turn: HeldTurn | undefined = first; turn !== undefined; turn = await nextTurn(run, deps))
      await decide(turn, run, deps);
  } catch (error) {
    run.failures.push(error);
    await deps.turns.abandon(run.holder).catch((reason: unknown) => {
      deps.logger.warn('dispatch.turn-kept', { reason: String(reason) });
    });
  }
  for (let next = run.deliveries.next(); next !== undefined; next = run.deliveries.next()) await next;
};

/** Repeating the pass cures what is not known to be incurable. */
const throwIfRetryable = (failures: readonly unknown[]): void => {
  const retryable = failures.find((error) => !(error instanceof PipelineError) || error.retryable);
  if (retryable !== undefined) throw retryable;
};

const LEFT_TO_ANOTHER = { dispatched: 0, idleWorkers: 0, freeSlots: 0, leftToAnother: true } as const;

/**
 * Serves the queue after a wake-up, until slots or jobs are out and every prompt has reached its worker. While another
 * dispatcher decides, this wake-up is counted and left to that one (docs/decisions/0015-one-dispatcher-decides.md).
 * @throws what kept a job from being placed, once all others have been, unless repeating cannot cure it
 */
export const dispatchPending = async (deps: DispatchDependencies): Promise<DispatchReport> => {
  const holder = deps.ids.uuid();
  const first = await deps.turns.take(holder);
  if (first === undefined) return LEFT_TO_ANOTHER;
  const run: Run = {
    holder,
    deadline: deps.clock.now() + MAX_BEGIN_MS,
    deliveries: createDeliveries(),
    failures: [],
    slots: undefined,
    dispatched: 0,
    lookAgain: false,
  };
  await runTurns(first, run, deps);
  throwIfRetryable(run.failures);
  const { dispatched, slots = { idleWorkers: 0, freeSlots: 0 } } = run;
  return { dispatched, ...slots, leftToAnother: false };
};
