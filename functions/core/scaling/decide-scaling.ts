/** The decision of one pass over one pool: pure, so that a bench and the tests drive the same rules as production. */
import { commitmentOf, fitsBudget, type Commitment } from './budget.ts';
import { workersNeeded, type WaitingTasks } from './demand.ts';
import { launchEntries, type PoolConfig } from './pool-config.ts';
import type { EndReason, Instance, PoolState } from './ports.ts';
import { isStale, type InstanceView } from './refresh.ts';

/** All that a decision looks at. Rows are refreshed; those that ended stay in, for the budget. */
export interface PoolView {
  readonly instances: readonly InstanceView[];
  readonly waiting: readonly WaitingTasks[];
  /** Milliseconds that the pool's workers and its helpers still have to do. */
  readonly heldMs: number;
  /** Those of them that hold something. */
  readonly busy: number;
  /** Ready workers that nobody launched and that can do the pool's tasks. */
  readonly helpers: number;
  readonly state: PoolState;
}

export type ScalingAction =
  | {
      readonly kind: 'launch';
      /** Entries of the pool that may be asked, in order: not on hold, and within the budget. */
      readonly candidates: readonly string[];
      /** ISO 8601. */
      readonly leaseUntil: string;
      readonly reason: string;
    }
  | {
      readonly kind: 'drain';
      readonly workerId: string;
      readonly endReason: EndReason;
      readonly reason: string;
    }
  | {
      readonly kind: 'terminate';
      readonly workerId: string;
      readonly endReason: EndReason;
      readonly reason: string;
    }
  | { readonly kind: 'none'; readonly reason: string };

const MINUTE_MS = 60_000;
/** A worker that does not answer is waited for so long: monitors restart, networks come back. */
export const UNWELL_MS = 5 * MINUTE_MS;
/** After failed launches in a row the next one waits 2, 4, 8 … minutes, at most so long. */
const MAX_BACKOFF_MS = 30 * MINUTE_MS;
const BACKOFF_WINDOW_MS = 60 * MINUTE_MS;

const since = (iso: string | null, now: number): number =>
  iso === null ? Number.POSITIVE_INFINITY : now - Date.parse(iso);

const elapsed = (iso: string | null, seconds: number, now: number): boolean =>
  since(iso, now) >= seconds * 1000;

interface End {
  readonly endReason: EndReason;
  readonly reason: string;
}

const isUnannounced = ({ instance, worker }: InstanceView): boolean =>
  instance.announcedAt === null && worker === undefined;

/** What must go at once, whatever it holds. */
const urgentEnd = (view: InstanceView, config: PoolConfig, now: number): End | undefined => {
  const { instance, seen, worker } = view;
  const state = typeof seen === 'string' ? undefined : seen.state;
  if (instance.condition === 'ending')
    return { endReason: instance.endReason ?? 'gone', reason: 'its end was not confirmed yet' };
  if (state === 'failed' || state === 'stopped')
    return { endReason: 'providerFailed', reason: `its provider says ${state}` };
  if (Date.parse(instance.leaseUntil) <= now) return { endReason: 'leaseEnd', reason: 'its lease is over' };
  if (worker?.quarantined === true)
    return { endReason: 'quarantined', reason: 'its ComfyUI ignored an interrupt' };
  if (instance.unwellSince !== null && since(instance.unwellSince, now) >= UNWELL_MS)
    return { endReason: 'unwell', reason: 'it has not answered for five minutes' };
  if (isUnannounced(view) && since(instance.createdAt, now) >= config.bootMinutes * MINUTE_MS)
    return { endReason: 'bootTimeout', reason: `no worker after ${config.bootMinutes} minutes` };
  return undefined;
};

/** A drained worker that holds nothing, and whose files have been copied. */
const drainedEnd = ({ instance, worker }: InstanceView, config: PoolConfig, now: number): End | undefined => {
  const { drainingSince, idleSince, endReason } = instance;
  const isEmpty = worker !== undefined && worker.condition !== 'ready' && worker.held.length === 0;
  if (drainingSince === null || !isEmpty || idleSince === null) return undefined;
  if (!elapsed(idleSince, config.settleSeconds, now)) return undefined;
  return { endReason: endReason ?? 'idle', reason: 'it is drained and holds nothing' };
};

const isEnded = ({ instance }: InstanceView): boolean => instance.condition === 'ended';
const workerIdOf = ({ instance }: InstanceView): string => instance.workerId;

/** What an operator drained takes no part either, and is left alone until its lease ends. */
const drains = ({ instance, worker }: InstanceView): boolean =>
  instance.drainingSince !== null || worker?.condition === 'draining';

const isDying = ({ seen }: InstanceView): boolean => typeof seen !== 'string' && seen.state === 'stopping';

const leaseDrains = (serving: readonly InstanceView[], config: PoolConfig, now: number): ScalingAction[] =>
  serving
    .filter(({ worker }) => worker !== undefined)
    .filter(({ instance }) => Date.parse(instance.leaseUntil) - now <= config.drainMinutes * MINUTE_MS)
    .map((view) => ({
      kind: 'drain',
      workerId: workerIdOf(view),
      endReason: 'leaseEnd',
      reason: `its lease ends at ${view.instance.leaseUntil}`,
    }));

/** Its monitor booted anew, which ends a drain: it is drained again. */
const redrains = (alive: readonly InstanceView[]): ScalingAction[] =>
  alive
    .filter(({ instance, worker }) => instance.drainingSince !== null && worker?.condition === 'ready')
    .map(({ instance }) => ({
      kind: 'drain',
      workerId: instance.workerId,
      endReason: instance.endReason ?? 'idle',
      reason: 'its monitor booted anew while it drained',
    }));

const isIdle = ({ worker, instance }: InstanceView): boolean =>
  worker?.condition === 'ready' && worker.held.length === 0 && instance.idleSince !== null;

const longestIdleFirst = (a: InstanceView, b: InstanceView): number =>
  (a.instance.idleSince ?? '~').localeCompare(b.instance.idleSince ?? '~') ||
  workerIdOf(a).localeCompare(workerIdOf(b));

const latest = (times: readonly (string | null)[]): string | null =>
  times.reduce((last, time) => ((time ?? '') > (last ?? '') ? time : last), null);

/** Launches that made nothing leave no row. */
const lastLaunchOf = ({ instances }: PoolView): string | null =>
  latest(instances.map(({ instance }) => instance.createdAt));

const lastIdleDrainOf = ({ instances }: PoolView): string | null =>
  latest(instances.map(({ instance }) => (instance.endReason === 'idle' ? instance.drainingSince : null)));

/** The dispatcher gives work to whoever had none for longest: too many workers are all a little busy, and none idle. */
const THIN_SHARE = 0.7;

/** One that is idle just now, when the others could do what all of them did and still have room. */
const thinlySpread = (serving: readonly InstanceView[], { waiting }: PoolView): readonly InstanceView[] => {
  const busy = serving.reduce((sum, { instance }) => sum + instance.busyShare, 0);
  const others = serving.length - 1;
  if (waiting.length > 0 || others < 1 || busy > THIN_SHARE * others) return [];
  return serving.filter(isIdle).sort(longestIdleFirst).slice(0, 1);
};

/** Those that have been idle long enough, as many as are too many; else one of those that are spread too thin. */
const idleDrains = (
  serving: readonly InstanceView[],
  floor: number,
  { config, view, now }: { config: PoolConfig; view: PoolView; now: number },
): ScalingAction[] => {
  const tooMany = serving.length - floor;
  const cooling = [lastIdleDrainOf(view), lastLaunchOf(view)].some(
    (at) => !elapsed(at, config.cooldownDownSeconds, now),
  );
  if (tooMany <= 0 || cooling) return [];
  const idle = serving
    .filter((each) => isIdle(each) && elapsed(each.instance.idleSince, config.idleSeconds, now))
    .sort(longestIdleFirst)
    .slice(0, tooMany);
  return (idle.length > 0 ? idle : thinlySpread(serving, view)).map((each) => ({
    kind: 'drain',
    workerId: workerIdOf(each),
    endReason: 'idle',
    reason: `idle since ${each.instance.idleSince ?? ''}: ${floor} of ${serving.length} are needed`,
  }));
};

/** `max` was lowered: whoever boots goes first, then who is idle, then who holds least. */
const excessEnds = (serving: readonly InstanceView[], max: number): ScalingAction[] => {
  const load = ({ worker }: InstanceView): number => (worker === undefined ? -1 : worker.held.length);
  return [...serving]
    .sort((a, b) => load(a) - load(b) || longestIdleFirst(a, b))
    .slice(0, Math.max(0, serving.length - max))
    .map((view) => ({
      kind: view.worker === undefined ? 'terminate' : 'drain',
      workerId: workerIdOf(view),
      endReason: 'excess',
      reason: `${serving.length} instances, max is ${max}`,
    }));
};

const FAILURES: readonly (EndReason | null)[] = ['bootTimeout', 'providerFailed', 'overpriced'];

/** Failed launches since the last one whose worker came, latest first. */
const recentFailures = (instances: readonly InstanceView[], now: number): readonly Instance[] => {
  const rows = instances.map(({ instance }) => instance);
  const lastSuccess = rows.reduce((last, { announcedAt }) => {
    return announcedAt !== null && announcedAt > last ? announcedAt : last;
  }, '');
  return rows
    .filter(({ endReason, announcedAt }) => FAILURES.includes(endReason) && announcedAt === null)
    .filter(({ endedAt }) => endedAt !== null && endedAt > lastSuccess)
    .filter(({ endedAt }) => since(endedAt, now) < BACKOFF_WINDOW_MS)
    .sort((a, b) => (b.endedAt ?? '').localeCompare(a.endedAt ?? ''));
};

/** One failure is replaced at once; when they come in a row, something is wrong with what is launched. */
const isBackingOff = (instances: readonly InstanceView[], now: number): boolean => {
  const failures = recentFailures(instances, now);
  const [last] = failures;
  if (last === undefined || failures.length < 2) return false;
  return since(last.endedAt, now) < Math.min(MAX_BACKOFF_MS, MINUTE_MS * 2 ** (failures.length - 1));
};

interface Growth {
  readonly view: PoolView;
  readonly config: PoolConfig;
  readonly now: number;
  readonly wanted: number;
  /** Instances that serve, or will. */
  readonly serving: number;
  /** Instances that exist in any way. */
  readonly alive: number;
  readonly reason: string;
}

/** Entries that may be asked at all now, with what each may cost. */
const openEntries = ({ config, view, now }: Growth) =>
  launchEntries(config).filter(({ id }) => {
    const hold = view.state.holds[id];
    return hold === undefined || Date.parse(hold.until) <= now;
  });

const launchesOf = (growth: Growth, room: number): ScalingAction[] => {
  const { config, view, now, reason } = growth;
  const entries = openEntries(growth);
  if (entries.length === 0) return [{ kind: 'none', reason: 'every provider is on hold' }];
  const until = now + config.leaseMinutes * MINUTE_MS;
  const commitments = view.instances.map(({ instance }) => commitmentOf(instance, now));
  const actions: ScalingAction[] = [];
  for (let at = 0; at < room; at += 1) {
    const commit = (pricePerHour: number): Commitment => ({ from: now, until, pricePerHour });
    const affordable = entries.filter(({ maxPricePerHour }) =>
      fitsBudget(commitments, commit(maxPricePerHour), config.budgetUsdPerDay),
    );
    if (affordable.length === 0) {
      actions.push({
        kind: 'none',
        reason: `the day's budget of $${config.budgetUsdPerDay ?? 0} is committed`,
      });
      break;
    }
    commitments.push(commit(Math.max(...affordable.map(({ maxPricePerHour }) => maxPricePerHour))));
    const candidates = affordable.map(({ id }) => id);
    actions.push({ kind: 'launch', candidates, leaseUntil: new Date(until).toISOString(), reason });
  }
  return actions;
};

const grow = (growth: Growth): ScalingAction[] => {
  const { view, config, now, wanted, serving, alive } = growth;
  const room = Math.min(wanted - serving, config.max - alive, config.maxLaunchesPerPass);
  const none = (reason: string): ScalingAction[] => [{ kind: 'none', reason }];
  if (wanted <= serving) return none(`${serving} instances, ${wanted} needed`);
  if (room <= 0) return none(`${alive} instances, max is ${config.max}`);
  if (launchEntries(config).length === 0) return none('no provider of the pool launches anything');
  if (isBackingOff(view.instances, now)) return none('the last launches failed: the next one waits');
  const mayWait = serving > 0 && serving >= config.min;
  if (mayWait && !elapsed(lastLaunchOf(view), config.cooldownUpSeconds, now))
    return none('the last launch is too recent');
  return launchesOf(growth, room);
};

const wantedOf = ({ waiting, heldMs, busy, helpers }: PoolView, config: PoolConfig) => {
  const targetMs = config.targetWaitSeconds * 1000;
  const needed = workersNeeded({ waiting, heldMs, busy, targetMs });
  const wanted = Math.min(config.max, Math.max(config.min, needed - helpers));
  const count = waiting.reduce((sum, group) => sum + group.count, 0);
  return { wanted, reason: `${count} tasks wait, ${needed} workers needed, ${helpers} help` };
};

const toTerminate = ({ instance }: InstanceView, end: End): ScalingAction => ({
  kind: 'terminate',
  workerId: instance.workerId,
  ...end,
});

/**
 * What to do now: ends first, then drains, then launches; `none` says why nothing is launched. Instances that are ended
 * by this very decision still count towards `max`: they are replaced when they are gone.
 * @param now milliseconds since the epoch
 */
export const decideScaling = (view: PoolView, config: PoolConfig, now: number): readonly ScalingAction[] => {
  const alive = view.instances.filter((each) => !isEnded(each) && !isStale(each.instance, now));
  const confirmed = alive.filter(({ instance }) => instance.instanceId !== null);
  const ends = new Map<string, ScalingAction>();
  for (const each of confirmed) {
    const end = urgentEnd(each, config, now) ?? drainedEnd(each, config, now);
    if (end !== undefined) ends.set(workerIdOf(each), toTerminate(each, end));
  }
  const staying = alive.filter((each) => !ends.has(workerIdOf(each)) && !drains(each) && !isDying(each));
  const leaving = leaseDrains(staying, config, now);
  const isLeaving = new Set(leaving.map((action) => ('workerId' in action ? action.workerId : '')));
  const serving = staying.filter((each) => !isLeaving.has(workerIdOf(each)));
  const { wanted, reason } = wantedOf(view, config);
  const excess = excessEnds(serving, config.max).filter(
    (action) => action.kind !== 'terminate' || confirmed.some((each) => workerIdOf(each) === action.workerId),
  );
  const down = excess.length > 0 ? excess : idleDrains(serving, wanted, { config, view, now });
  const growth = { view, config, now, wanted, serving: serving.length, alive: alive.length, reason };
  const again = redrains(alive.filter((each) => !ends.has(workerIdOf(each))));
  return [...ends.values(), ...again, ...leaving, ...down, ...grow(growth)];
};
