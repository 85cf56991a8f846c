/** Who may register what; the order of reports is tested in `core/monitors.test.ts`. */
import { describe, expect, test } from '@jest/globals';
import type { DetailOf } from '../../shared-types/index.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { BOOT_ID, createSilentLogger, makeEvent, WORKER_ID } from '../core/test-support/fixtures.ts';
import type { AddressPolicy } from '../core/worker-address.ts';
import { createMonitorInitHandler } from './monitor-init.ts';

const start = (addressPolicy: AddressPolicy = 'private') => {
  const table = createFakeTable(createFakeClock());
  const logger = createSilentLogger();
  const handle = createMonitorInitHandler({ workers: table.workers, addressPolicy, logger });
  const codes = () => logger.lines.map(({ code }) => code);
  return { handle, table, codes, worker: () => table.workers.get(WORKER_ID) };
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
    status: 'idle',
    bootId: BOOT_ID,
  });
  expect(codes()).toEqual(['worker.registered']);
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
