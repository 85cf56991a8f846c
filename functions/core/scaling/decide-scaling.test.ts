import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { InstanceState, ProviderInstance } from '../providers/worker-provider.ts';
import type { Worker } from '../worker.ts';
import { commitmentOf, costOfDay } from './budget.ts';
import { decideScaling } from './decide-scaling.ts';
import type { PoolView, ScalingAction } from './pool-view.ts';
import type { Instance } from './ports.ts';
import { isStale, type InstanceView } from './refresh.ts';
import { makeInstance, makePool, makeWorker, novitaEntry } from './test-support/fixtures.ts';

const NOW = Date.parse('2026-11-22T12:00:00.000Z');
const MINUTE = 60_000;
const iso = (minutes: number): string => new Date(NOW + minutes * MINUTE).toISOString();

const seenOf = (instance: Instance, state: InstanceState): ProviderInstance => ({
  instanceId: instance.instanceId ?? 'i',
  provider: 'novita',
  pool: 'test-gpu',
  workerId: instance.workerId,
  state,
  launchedAt: instance.createdAt,
  leaseUntil: instance.leaseUntil,
  pricePerHour: null,
  address: null,
});

const viewOf = (instances: readonly InstanceView[], overrides: Partial<PoolView> = {}): PoolView => ({
  instances,
  waiting: [],
  heldMs: 0,
  busy: 0,
  helpers: 0,
  state: { revision: 0, holds: {} },
  ...overrides,
});

const count = (actions: readonly ScalingAction[], kind: ScalingAction['kind']): number =>
  actions.filter((action) => action.kind === kind).length;

const reasonOf = (actions: readonly ScalingAction[]): string | undefined =>
  actions.find(({ kind }) => kind === 'none')?.reason;

const waiting = (tasks: number) => [{ userId: 'u', count: tasks, expectedMs: 60_000, allowed: 1000 }];

const idle = (workerId: string, sinceMinutes: number): InstanceView => {
  const instance = makeInstance({
    workerId,
    instanceId: `i-${workerId}`,
    createdAt: iso(-60),
    announcedAt: iso(-55),
    idleSince: iso(-sinceMinutes),
    leaseUntil: iso(120),
  });
  return { instance, worker: makeWorker({ workerId }), seen: seenOf(instance, 'running') };
};

/** Any instance that a table may hold. */
const anyInstance: fc.Arbitrary<InstanceView> = fc
  .record({
    workerId: fc.uuid(),
    condition: fc.constantFrom('launching', 'live', 'live', 'live', 'ending', 'ended'),
    age: fc.integer({ min: 0, max: 300 }),
    lease: fc.integer({ min: -30, max: 300 }),
    announced: fc.boolean(),
    drains: fc.boolean(),
    idleFor: fc.option(fc.integer({ min: 0, max: 60 })),
    unwellFor: fc.option(fc.integer({ min: 0, max: 10 })),
    state: fc.constantFrom<InstanceState[]>(
      'starting',
      'running',
      'running',
      'stopping',
      'stopped',
      'failed',
    ),
    isSeen: fc.boolean(),
    held: fc.integer({ min: 0, max: 2 }),
    quarantined: fc.boolean(),
    price: fc.double({ min: 0, max: 2, noNaN: true }),
  })
  .map((told): InstanceView => {
    const { workerId, condition, age, announced } = told;
    const instance = makeInstance({
      workerId,
      condition,
      instanceId: condition === 'launching' ? null : `i-${workerId}`,
      createdAt: iso(-age),
      launchedAt: condition === 'launching' ? null : iso(-age),
      leaseUntil: iso(told.lease),
      announcedAt: announced ? iso(-age) : null,
      idleSince: announced && told.held === 0 && told.idleFor !== null ? iso(-told.idleFor) : null,
      unwellSince: announced && told.unwellFor !== null ? iso(-told.unwellFor) : null,
      drainingSince: announced && told.drains ? iso(-1) : null,
      endedAt: condition === 'ended' ? iso(-Math.min(1, age)) : null,
      endReason: condition === 'ended' ? 'idle' : null,
      pricePerHour: told.price,
    });
    const held = Array.from({ length: told.held }, (_, at) => ({
      jobId: `${workerId}-${at}`,
      attempt: 1,
      userId: 'u',
      assignedAt: iso(-1),
    }));
    const worker: Worker | undefined = announced
      ? makeWorker({
          workerId,
          held,
          quarantined: told.quarantined,
          condition: told.drains ? 'draining' : 'ready',
        })
      : undefined;
    const seen = told.isSeen && condition !== 'launching' ? seenOf(instance, told.state) : 'unknown';
    return { instance, worker, seen };
  });

const anyCase = fc.record({
  instances: fc.array(anyInstance, { maxLength: 12 }),
  tasks: fc.integer({ min: 0, max: 300 }),
  heldMs: fc.integer({ min: 0, max: 3_600_000 }),
  busy: fc.integer({ min: 0, max: 12 }),
  helpers: fc.integer({ min: 0, max: 5 }),
  min: fc.integer({ min: 0, max: 5 }),
  more: fc.integer({ min: 0, max: 8 }),
  budget: fc.option(fc.double({ min: 0, max: 40, noNaN: true })),
  perPass: fc.integer({ min: 1, max: 10 }),
});

const decide = (told: typeof anyCase extends fc.Arbitrary<infer T> ? T : never) => {
  const config = makePool({
    min: told.min,
    max: told.min + told.more,
    budgetUsdPerDay: told.budget,
    maxLaunchesPerPass: told.perPass,
    providers: [novitaEntry(), novitaEntry({ provider: 'runpod', maxPricePerHour: 0.9 })],
  });
  const { heldMs, busy, helpers } = told;
  const demand = { waiting: told.tasks === 0 ? [] : waiting(told.tasks), heldMs, busy, helpers };
  const view = viewOf(told.instances, demand);
  return { config, view, actions: decideScaling(view, config, NOW) };
};

describe('whatever the table holds', () => {
  test('never more than max exist, those that are being ended among them, and never more than asked a pass', () => {
    fc.assert(
      fc.property(anyCase, (told) => {
        const { config, view, actions } = decide(told);
        const launches = count(actions, 'launch');
        const alive = view.instances.filter(
          ({ instance }) => instance.condition !== 'ended' && !isStale(instance, NOW),
        ).length;
        expect(launches).toBeLessThanOrEqual(config.maxLaunchesPerPass);
        if (launches > 0) expect(alive + launches).toBeLessThanOrEqual(config.max);
      }),
      { numRuns: 200 },
    );
  });

  test('no day is committed beyond the budget by a launch, whichever provider takes it', () => {
    fc.assert(
      fc.property(anyCase, (told) => {
        const { config, view, actions } = decide(told);
        const launches = actions.filter((action) => action.kind === 'launch');
        if (launches.length === 0 || config.budgetUsdPerDay === null) return;
        const prices = new Map(
          config.providers.map((entry) => [entry.id, 'maxPricePerHour' in entry ? entry.maxPricePerHour : 0]),
        );
        const commitments = [
          ...view.instances.map(({ instance }) => commitmentOf(instance, NOW)),
          ...launches.map(({ candidates, leaseUntil }) => ({
            from: NOW,
            until: Date.parse(leaseUntil),
            pricePerHour: Math.max(...candidates.map((id) => prices.get(id) ?? Number.NaN)),
          })),
        ];
        const today = Date.parse('2026-11-22T00:00:00.000Z');
        for (const day of [today, today + 24 * 60 * MINUTE])
          expect(costOfDay(commitments, day)).toBeLessThanOrEqual(config.budgetUsdPerDay + 1e-5);
      }),
      { numRuns: 200 },
    );
  });

  test('scale-down takes only idle ones, never below min, and never what a drain has not emptied', () => {
    fc.assert(
      fc.property(anyCase, (told) => {
        const { config, view, actions } = decide(told);
        const find = (workerId: string) =>
          view.instances.find(({ instance }) => instance.workerId === workerId)!;
        const drained = actions.filter(
          (action) => action.kind === 'drain' && action.endReason === 'idle',
        ) as Extract<ScalingAction, { kind: 'drain' }>[];
        const ready = view.instances.filter(
          ({ worker, instance }) =>
            worker?.condition === 'ready' && !['ended', 'ending'].includes(instance.condition),
        );
        const fresh = drained.filter(({ workerId }) => find(workerId).instance.drainingSince === null);
        for (const { workerId } of fresh) expect(find(workerId).worker!.held).toEqual([]);
        if (fresh.length > 0) {
          const notReady = view.instances.filter(({ worker }) => worker === undefined).length;
          expect(ready.length + notReady - fresh.length).toBeGreaterThanOrEqual(config.min);
        }
        for (const action of actions) {
          if (action.kind !== 'terminate' || !['idle', 'excess'].includes(action.endReason)) continue;
          const { worker, instance } = find(action.workerId);
          if (instance.condition !== 'ending') expect(worker?.held ?? []).toEqual([]);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('a lease that is over is ended, whatever else is the matter; nobody is both drained and terminated', () => {
    fc.assert(
      fc.property(anyCase, (told) => {
        const { view, actions } = decide(told);
        const of = (kind: ScalingAction['kind']): readonly string[] =>
          actions.flatMap((action) =>
            action.kind === kind && 'workerId' in action ? [action.workerId] : [],
          );
        for (const { instance } of view.instances) {
          const { condition, leaseUntil, instanceId, workerId } = instance;
          if (condition === 'ended' || instanceId === null || Date.parse(leaseUntil) > NOW) continue;
          expect(of('terminate')).toContain(workerId);
        }
        expect(of('drain').filter((workerId) => of('terminate').includes(workerId))).toEqual([]);
        expect(new Set(of('drain')).size).toBe(of('drain').length);
      }),
      { numRuns: 200 },
    );
  });

  test('the same view is decided the same way, in whatever order its rows come', () => {
    fc.assert(
      fc.property(anyCase, (told) => {
        const sorted = (actions: readonly ScalingAction[]): readonly string[] =>
          actions.map((action) => JSON.stringify(action)).sort();
        const reversed = decide({ ...told, instances: [...told.instances].reverse() });
        expect(sorted(reversed.actions)).toEqual(sorted(decide(told).actions));
      }),
    );
  });
});

describe('scale down', () => {
  test('the one that is idle longest goes first', () => {
    const view = viewOf([idle('a', 10), idle('b', 30), idle('c', 20)]);
    const actions = decideScaling(view, makePool({ min: 2 }), NOW);
    expect(actions.flatMap((action) => ('workerId' in action ? [action.workerId] : []))).toEqual(['b']);
  });

  test('those that are all a little busy become fewer, one at a time, while nothing waits', () => {
    const thin = (workerId: string, busyShare: number): InstanceView => {
      const view = idle(workerId, 1);
      return { ...view, instance: { ...view.instance, busyShare } };
    };
    const three = (busyShare: number) =>
      viewOf([thin('a', busyShare), thin('b', busyShare), thin('c', busyShare)]);
    expect(count(decideScaling(three(0.4), makePool(), NOW), 'drain')).toBe(1);
    expect(count(decideScaling(three(0.5), makePool(), NOW), 'drain')).toBe(0);
    expect(count(decideScaling(three(0.4), makePool({ min: 3 }), NOW), 'drain')).toBe(0);
    const waits = { ...three(0.4), waiting: waiting(1) };
    expect(count(decideScaling(waits, makePool(), NOW), 'drain')).toBe(0);
    expect(count(decideScaling(viewOf([thin('a', 0.1)]), makePool(), NOW), 'drain')).toBe(0);
  });

  test('not soon after a launch or a drain', () => {
    const launched = idle('new', 0);
    const young = { ...launched, instance: { ...launched.instance, createdAt: iso(-1) } };
    expect(count(decideScaling(viewOf([idle('a', 30), young]), makePool(), NOW), 'drain')).toBe(0);
    expect(count(decideScaling(viewOf([idle('a', 30)]), makePool(), NOW), 'drain')).toBe(1);
  });
});

describe('why nothing is launched', () => {
  const launching = idle('a', 0);
  test.each([
    ['enough are there', {}, {}, '1 instances, 0 needed'],
    ['max', { waiting: waiting(100) }, { max: 1 }, '1 instances, 1 needed'],
    ['cooldown', { waiting: waiting(100) }, { cooldownUpSeconds: 7200 }, 'the last launch is too recent'],
    ['budget', { waiting: waiting(100) }, { budgetUsdPerDay: 1.6 }, "the day's budget of $1.6 is committed"],
    [
      'holds',
      { waiting: waiting(100), state: { revision: 1, holds: { novita: { until: iso(1), reason: 'x' } } } },
      {},
      'every provider is on hold',
    ],
    [
      'nothing can be launched',
      { waiting: waiting(100) },
      { providers: [{ provider: 'static' }] },
      'no provider of the pool launches anything',
    ],
  ])('%s', (_what, view, pool, reason) => {
    expect(reasonOf(decideScaling(viewOf([launching], view), makePool(pool), NOW))).toBe(reason);
  });

  test('a hold that is over holds nobody', () => {
    const state = { revision: 1, holds: { novita: { until: iso(0), reason: 'x' } } };
    const actions = decideScaling(viewOf([], { waiting: waiting(1), state }), makePool(), NOW);
    expect(count(actions, 'launch')).toBe(1);
  });

  test('the cooldown does not keep a pool below its min, nor empty', () => {
    const gone = { ...idle('a', 0) };
    const ended = {
      ...gone,
      instance: { ...gone.instance, condition: 'ended', endedAt: iso(0) } as Instance,
    };
    const pool = makePool({ cooldownUpSeconds: 86_400 });
    expect(count(decideScaling(viewOf([ended], { waiting: waiting(1) }), pool, NOW), 'launch')).toBe(1);
  });
});
