/** The decision of one pass over one pool: pure, so that a bench and the tests drive the same rules as production. */
import { workersNeeded } from './demand.ts';
import { excessEnds, idleDrains, leaseDrains, redrains } from './drain-instances.ts';
import { endOf } from './end-instances.ts';
import { grow } from './grow-pool.ts';
import type { PoolConfig } from './pool-config.ts';
import { drains, isDying, isEnded, workerIdOf, type PoolView, type ScalingAction } from './pool-view.ts';
import { isStale } from './refresh.ts';

const wantedOf = ({ waiting, heldMs, busy, helpers }: PoolView, config: PoolConfig) => {
  const targetMs = config.targetWaitSeconds * 1000;
  const needed = workersNeeded({ waiting, heldMs, busy, targetMs });
  const wanted = Math.min(config.max, Math.max(config.min, needed - helpers));
  const count = waiting.reduce((sum, group) => sum + group.count, 0);
  return { wanted, reason: `${count} tasks wait, ${needed} workers needed, ${helpers} help` };
};

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
    const end = endOf(each, config, now);
    if (end !== undefined) ends.set(workerIdOf(each), end);
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
