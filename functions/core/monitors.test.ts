import { expect, test } from '@jest/globals';
import { createFakeComfyUi } from '../adapters/comfyui/comfyui.fake.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakeCatalogueStore } from '../adapters/s3/catalogue-store.fake.ts';
import { createFakeClock } from './test-support/fake-clock.ts';
import { createSilentLogger, makeEvent, uuidOf, WORKER_ID } from './test-support/fixtures.ts';
import { createMonitorStoppedHandler } from '../monitor-stopped/monitor-stopped.ts';
import { createMonitorInitHandler } from '../monitor-init/monitor-init.ts';
import { statusOf } from './worker.ts';

const setUp = (addressPolicy: 'any' | 'private' | 'public' = 'private') => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  const logger = createSilentLogger();
  const comfyUi = createFakeComfyUi();
  const dependencies = {
    ...table,
    comfyUi,
    catalogues: createFakeCatalogueStore(),
    clock,
    addressPolicy,
    logger,
  };
  return {
    clock,
    table,
    logger,
    init: createMonitorInitHandler(dependencies),
    stopped: createMonitorStoppedHandler(dependencies),
    worker: () => {
      const found = table.allWorkers()[0];
      return found === undefined ? undefined : { ...found, status: statusOf(found) };
    },
  };
};
const initialized = makeEvent('Monitor Initialized', { sequence: 1 });

test('Monitor Initialized registers the worker under its own address', async () => {
  const { init, worker } = setUp();
  await init(initialized);
  expect(worker()).toMatchObject({
    workerId: WORKER_ID,
    status: 'idle',
    endpoint: 'http://10.0.3.17:8188',
    comfyuiVersion: '0.3.64',
  });
});

test('a private address is refused where only public ones are allowed, and said without failing', async () => {
  const { init, worker, logger } = setUp('public');
  await init(initialized);
  expect(worker()).toBeUndefined();
  expect(logger.lines).toMatchObject([{ level: 'error', code: 'worker.address-refused' }]);
});

test('heartbeats keep the lease, take an unreachable ComfyUI out of the choice, and bring it back', async () => {
  const { init, worker, clock } = setUp();
  await init(initialized);
  clock.advance(20_000);
  await init(makeEvent('Monitor Heartbeat', { sequence: 2 }));
  expect(worker()).toMatchObject({ status: 'idle', lastSeenAt: clock.iso() });
  await init(makeEvent('Monitor Heartbeat', { sequence: 3, state: 'unreachable' }));
  expect(worker()?.status).toBe('failed');
  await init(makeEvent('Monitor Heartbeat', { sequence: 4, state: 'degraded' }));
  expect(worker()?.status).toBe('idle');
});

test('events of a monitor in any order: the last one of the newest boot stands', async () => {
  const events = [
    initialized,
    makeEvent('Monitor Heartbeat', { sequence: 2, state: 'unreachable' }),
    makeEvent('Monitor Heartbeat', { sequence: 3 }),
    makeEvent('Monitor Stopped', { sequence: 4 }),
  ];
  const orders = (items: readonly (typeof initialized)[]): (typeof initialized)[][] =>
    items.length === 0
      ? [[]]
      : items.flatMap((item, index) => orders(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
  for (const order of orders(events)) {
    const { init, stopped, worker } = setUp();
    await init(initialized);
    for (const event of [...order, ...order]) {
      await (event['detail-type'] === 'Monitor Stopped' ? stopped(event) : init(event));
    }
    expect(worker()).toMatchObject({ status: 'stopped', monitorSequence: 4 });
  }
});

test('a monitor that comes back under a new boot is taken in again; the last words of the old one are not', async () => {
  const { init, stopped, worker, clock } = setUp();
  await init(initialized);
  await stopped(makeEvent('Monitor Stopped', { sequence: 9 }));
  const bootId = uuidOf(2);
  clock.advance(120_000);
  await init(makeEvent('Monitor Initialized', { bootId, sequence: 1, timestamp: clock.iso() }));
  expect(worker()).toMatchObject({ status: 'idle', bootId });
  await stopped(makeEvent('Monitor Stopped', { sequence: 10 }));
  await init(makeEvent('Monitor Heartbeat', { sequence: 11, state: 'unreachable' }));
  expect(worker()).toMatchObject({ status: 'idle', bootId, monitorSequence: 1 });
});

test.each(['Monitor Initialized', 'Monitor Heartbeat', 'Monitor Stopped'] as const)(
  'a %s in the name of another worker changes nothing',
  async (detailType) => {
    const { init, stopped, worker } = setUp();
    await init(initialized);
    const before = worker();
    const forged = {
      ...makeEvent(detailType, { sequence: 50 }),
      source: 'comfyui.monitor.pod-2',
    };
    await (detailType === 'Monitor Stopped' ? stopped(forged) : init(forged));
    expect(worker()).toEqual(before);
  },
);

test('a heartbeat of a worker that nobody registered makes none', async () => {
  const { init, worker, logger } = setUp();
  await init(makeEvent('Monitor Heartbeat', { sequence: 2 }));
  expect(worker()).toBeUndefined();
  expect(logger.lines).toMatchObject([{ code: 'heartbeat.stale' }]);
});
