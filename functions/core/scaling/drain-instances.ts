/** Which instances of a pool are drained now. */
import type { PoolConfig } from './pool-config.ts';
import {
  elapsed,
  lastIdleDrainOf,
  lastLaunchOf,
  MINUTE_MS,
  workerIdOf,
  type PoolView,
  type ScalingAction,
} from './pool-view.ts';
import type { InstanceView } from './refresh.ts';

/** Those whose lease ends soon are given nothing new. */
export const leaseDrains = (
  serving: readonly InstanceView[],
  config: PoolConfig,
  now: number,
): ScalingAction[] =>
  serving
    .filter(({ worker }) => worker !== undefined)
    .filter(({ instance }) => Date.parse(instance.leaseUntil) - now <= config.drainMinutes * MINUTE_MS)
    .map((view) => ({
      kind: 'drain',
      workerId: workerIdOf(view),
      endReason: 'leaseEnd',
      reason: `its lease ends at ${view.instance.leaseUntil}`,
    }));

/** Somebody took it into service again, and it was told to leave all the same: it is drained again. */
export const redrains = (alive: readonly InstanceView[]): ScalingAction[] =>
  alive
    .filter(({ instance, worker }) => instance.drainingSince !== null && worker?.condition === 'ready')
    .map(({ instance }) => ({
      kind: 'drain',
      workerId: instance.workerId,
      endReason: instance.endReason ?? 'idle',
      reason: 'it was taken into service again while it drained',
    }));

const isIdle = ({ worker, instance }: InstanceView): boolean =>
  worker?.condition === 'ready' && worker.held.length === 0 && instance.idleSince !== null;

const longestIdleFirst = (a: InstanceView, b: InstanceView): number =>
  (a.instance.idleSince ?? '~').localeCompare(b.instance.idleSince ?? '~') ||
  workerIdOf(a).localeCompare(workerIdOf(b));

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
export const idleDrains = (
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
export const excessEnds = (serving: readonly InstanceView[], max: number): ScalingAction[] => {
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
