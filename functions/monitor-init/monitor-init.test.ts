/** Who may register what; the order of reports is tested in `core/monitors.test.ts`. */
import { describe, expect, test } from '@jest/globals';
import type { DetailOf } from '../../shared-types/index.ts';
import { createFakeComfyUi } from '../adapters/comfyui/comfyui.fake.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakeCatalogueStore } from '../adapters/s3/catalogue-store.fake.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import {
  BOOT_ID,
  createSilentLogger,
  makeEvent,
  makeRegistration,
  WORKER_ID,
} from '../core/test-support/fixtures.ts';
import { makeInstance } from '../core/scaling/test-support/fixtures.ts';
import type { AddressPolicy } from '../core/worker-address.ts';
import { createMonitorInitHandler } from './monitor-init.ts';

const OBJECT_INFO = JSON.stringify({
  KSampler: { input: { required: { seed: ['INT', { max: 5 }] } }, output: ['LATENT'], output_node: false },
});

const start = (addressPolicy: AddressPolicy = 'private') => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  const logger = createSilentLogger();
  const comfyUi = createFakeComfyUi();
  const catalogues = createFakeCatalogueStore();
  comfyUi.setObjectInfo(OBJECT_INFO);
  const handle = createMonitorInitHandler({
    workers: table.workers,
    instances: table.instances,
    comfyUi,
    catalogues,
    clock,
    addressPolicy,
    logger,
  });
  const codes = () => logger.lines.map(({ code }) => code);
  const worker = () => table.workers.get(WORKER_ID);
  return { handle, table, codes, worker, comfyUi, catalogues, clock, logger };
};

const initialized = (detail: Partial<DetailOf<'Monitor Initialized'>> = {}) =>
  makeEvent('Monitor Initialized', {
    sequence: 1,
    bootId: BOOT_ID,
    comfyuiUrl: 'http://10.0.3.17:8188/',
    ...detail,
  });

test('a monitor announces its worker, once', async () => {
  const { handle, worker, codes } = start();
  await handle(initialized());
  await handle(initialized());
  expect(await worker()).toMatchObject({
    workerId: WORKER_ID,
    clientId: 'monitor-pod-1',
    endpoint: 'http://10.0.3.17:8188',
    condition: 'ready',
    tags: [],
    bootId: BOOT_ID,
  });
  expect(codes()).toEqual(['worker.registered', 'catalogue.learnt', 'catalogue.learnt']);
});

describe('an instance that scaling launched', () => {
  const loopback = initialized({ comfyuiUrl: 'http://127.0.0.1:8188' });
  const ADDRESS = 'https://abc-8188.proxy.runpod.net';

  test('is registered where its provider says, when its monitor does not know', async () => {
    const { handle, table, worker } = start('public');
    await table.instances.create(makeInstance({ workerId: WORKER_ID, address: ADDRESS }));
    await handle(loopback);
    expect(await worker()).toMatchObject({ endpoint: ADDRESS });
  });

  test('is tried again until its provider has told', async () => {
    const { handle, table, worker } = start('public');
    const instance = makeInstance({ workerId: WORKER_ID });
    await table.instances.create(instance);
    await expect(handle(loopback)).rejects.toThrow(/not told its address/);
    await table.instances.change(instance, { address: ADDRESS }, ['live']);
    await handle(loopback);
    expect(await worker()).toMatchObject({ endpoint: ADDRESS });
  });

  test('is refused all the same where the provider tells an address that may not be called', async () => {
    const { handle, table, worker, codes } = start('public');
    await table.instances.create(makeInstance({ workerId: WORKER_ID, address: 'http://10.0.0.9:8188' }));
    await handle(loopback);
    expect(await worker()).toBeUndefined();
    expect(codes()).toEqual(['worker.address-refused']);
  });
});

describe('a worker is not registered at an address that the control plane must not call', () => {
  test.each<[string, AddressPolicy]>([
    ['http://169.254.169.254', 'any'],
    ['http://[::ffff:169.254.169.254]:80', 'any'],
    ['http://0x7f000001:8188', 'private'],
    ['http://localhost:8188', 'private'],
    ['http://10.0.3.17:8188', 'public'],
    ['http://user:secret@pods.example.com', 'any'],
  ])('%s under %s', async (comfyuiUrl, policy) => {
    const { handle, worker, codes } = start(policy);
    await handle(initialized({ comfyuiUrl }));
    expect(await worker()).toBeUndefined();
    expect(codes()).toEqual(['worker.address-refused']);
  });

  test.each(['file:///etc/passwd', 'gopher://10.0.3.17', 'x'])(
    '%s is not even an event',
    async (comfyuiUrl) => {
      const { handle, worker, codes } = start('any');
      await handle({ ...initialized(), detail: { ...(initialized().detail as object), comfyuiUrl } });
      expect(await worker()).toBeUndefined();
      expect(codes()).toEqual(['event.poison']);
    },
  );
});

test('a monitor cannot announce, or speak for, another worker', async () => {
  const { handle, table, codes } = start();
  await handle({ ...initialized(), source: 'comfyui.monitor.pod-2' });
  await handle({ ...makeEvent('Monitor Heartbeat', { sequence: 2 }), source: 'comfyui.pipeline' });
  expect(table.allWorkers()).toEqual([]);
  expect(codes()).toEqual(['event.poison', 'event.poison']);
});

describe('what a worker can run is learnt from its ComfyUI', () => {
  test('once it is there, and is stored under the hash of its content', async () => {
    const { handle, worker, catalogues, comfyUi, clock } = start();
    comfyUi.answerNext('objectInfo', { kind: 'unavailable', message: 'starting' }, 2);
    await handle(initialized({ tags: ['gpu', 'a', 'gpu'] }));
    expect(clock.sleeps).toEqual([1000, 2000]);
    const hash = (await worker())?.catalogueHash;
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(Object.keys(catalogues.catalogues.get(hash!)!.classes)).toEqual(['KSampler']);
    expect((await worker())?.tags).toEqual(['a', 'gpu']);
  });

  test('though the dispatcher registered the worker first', async () => {
    const { handle, table, worker } = start();
    await table.workers.register(makeRegistration());
    await handle(initialized());
    expect((await worker())?.catalogueHash).not.toBeNull();
  });

  test.each([
    ['does not say it', undefined],
    ['says what is no JSON', '<html>'],
    ['says nothing of nodes', '{"KSampler": 3}'],
  ])('and stays unknown where it %s, without failing the event', async (_what, text) => {
    const { handle, worker, comfyUi, codes } = start();
    if (text === undefined) comfyUi.setReachable(false);
    else comfyUi.setObjectInfo(text);
    await handle(initialized());
    expect((await worker())?.catalogueHash).toBeNull();
    expect(codes()).toEqual(['worker.registered', 'catalogue.unknown']);
  });

  test('a store that fails leaves it unknown', async () => {
    const { handle, table, worker, codes } = start();
    table.fail('workers', 'setCatalogue', 1);
    await handle(initialized());
    expect((await worker())?.catalogueHash).toBeNull();
    expect(codes()).toContain('catalogue.unknown');
  });
});
