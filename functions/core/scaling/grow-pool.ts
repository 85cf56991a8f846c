/** What is launched now, and why nothing more is. */
import { commitmentOf, fitsBudget, type Commitment } from './budget.ts';
import { launchEntries, type PoolConfig } from './pool-config.ts';
import type { EndReason, Instance } from './ports.ts';
import { elapsed, lastLaunchOf, MINUTE_MS, since, type PoolView, type ScalingAction } from './pool-view.ts';
import type { InstanceView } from './refresh.ts';

/** After failed launches in a row the next one waits 2, 4, 8 … minutes, at most so long. */
const MAX_BACKOFF_MS = 30 * MINUTE_MS;
const BACKOFF_WINDOW_MS = 60 * MINUTE_MS;

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

export interface Growth {
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

export const grow = (growth: Growth): ScalingAction[] => {
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
