/** Everything a scaling pass touches, in memory: the stores, two providers, and pods that announce themselves. */
import { createFakeInstanceStore } from '../dynamodb/instance-store.fake.ts';
import { createFakeTable } from '../dynamodb/fake-table.ts';
import type { JobNeeds } from '../../core/job.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { createFaults } from '../../core/test-support/faults.ts';
import {
  createCountingIds,
  createSilentLogger,
  makeRegistration,
  uuidOf,
} from '../../core/test-support/fixtures.ts';
import type { Catalogue } from '../../core/workflow/catalogue.ts';
import type { Instance, ScalingDependencies } from '../../core/scaling/ports.ts';
import { scalePools } from '../../core/scaling/scale-pools.ts';
import { createFakeProvider } from '../../core/scaling/test-support/fake-provider.ts';
import { makePool, novitaEntry } from '../../core/scaling/test-support/fixtures.ts';

const MINUTE_MS = 60_000;

/** The same pool name is another pool at the providers on another stage. */
export const STAGE = 'test';

export const runpodEntry = (overrides: Readonly<Record<string, unknown>> = {}) =>
  novitaEntry({ provider: 'runpod', products: ['RTX 4090'], ...overrides });

/** @param pool what differs from the pool of `makePool`, which has Novita first and RunPod second here */
export const createScalingWorld = (pool: Readonly<Record<string, unknown>> = {}) => {
  const clock = createFakeClock();
  const faults = createFaults();
  const table = createFakeTable(clock, faults);
  const store = createFakeInstanceStore({ clock });
  const novita = createFakeProvider({ name: 'novita', clock });
  const runpod = createFakeProvider({ name: 'runpod', clock });
  const logger = createSilentLogger();
  const config = makePool({ providers: [novitaEntry(), runpodEntry()], ...pool });
  const catalogues = new Map<string, Catalogue>();
  const deps: ScalingDependencies = {
    pools: [config],
    providers: new Map([
      [
        config.name,
        new Map([
          ['novita', faults.wrap('novita', novita)],
          ['runpod', faults.wrap('runpod', runpod)],
        ]),
      ],
    ]),
    stage: STAGE,
    instances: faults.wrap('instances', store),
    shares: table.shares,
    queue: table.queue,
    workers: table.workers,
    catalogues: { get: async (hash) => catalogues.get(hash) },
    secrets: async () => ({ accessKey: 'AKIA' }),
    clock,
    ids: createCountingIds(),
    logger,
    maxRunningPerUser: 100,
    monitor: { eventBusName: 'test-comfyui-events', region: 'eu-west-1' },
  };
  let jobs = 0;
  let reports = 1;

  const enqueue = async (count: number, needs: Partial<JobNeeds> = {}, userId = 'user-1') => {
    for (let at = 0; at < count; at += 1) {
      jobs += 1;
      await table.queue.put({
        jobId: uuidOf(jobs),
        userId,
        priority: 5,
        queuedAt: clock.iso(),
        notBefore: null,
        needs: { classes: [], models: [], tags: [], ...needs },
      });
    }
  };
  const clearQueue = async () => {
    for (const entry of await table.allQueue()) await table.queue.remove(entry);
  };
  /** Its monitor announces itself. */
  const boot = async (workerId: string, tags: readonly string[] = []) => {
    reports += 1;
    const bootId = uuidOf(900_000 + reports);
    await table.workers.register(
      makeRegistration({ workerId, clientId: `monitor-${workerId}`, bootId, timestamp: clock.iso(), tags }),
    );
  };
  /** Gives the worker a task as a dispatcher does; false when it takes none. */
  const assign = async (workerId: string, jobId: string) => {
    const assignment = { jobId, attempt: 1, userId: 'user-1', assignedAt: clock.iso() };
    return await table.workers.claim(workerId, assignment, 2);
  };
  const rows = (): readonly Instance[] => store.all();
  const alive = (): readonly Instance[] => rows().filter(({ condition }) => condition !== 'ended');
  return {
    clock,
    faults,
    table,
    store,
    novita,
    runpod,
    logger,
    config,
    catalogues,
    deps,
    enqueue,
    clearQueue,
    boot,
    assign,
    rows,
    alive,
    /** One pass. */
    pass: () => scalePools(deps),
    /** As many passes as minutes, each after its minute. */
    minutes: async (count: number) => {
      for (let at = 0; at < count; at += 1) {
        clock.advance(MINUTE_MS);
        await scalePools(deps);
      }
    },
    codes: () => logger.lines.map(({ code }) => code),
  };
};
