import { expect, test } from '@jest/globals';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import {
  BOOT_ID,
  createSilentLogger,
  JOB_ID,
  makeEvent,
  makeRegistration,
  START,
  WORKER_ID,
} from '../core/test-support/fixtures.ts';
import { createMonitorStoppedHandler } from './monitor-stopped.ts';

const SLOT = { jobId: JOB_ID, attempt: 1, userId: 'user-1', assignedAt: START };

const start = async () => {
  const { workers } = createFakeTable(createFakeClock());
  await workers.register(makeRegistration());
  const handle = createMonitorStoppedHandler({ workers, logger: createSilentLogger() });
  return { handle, workers };
};

test('a worker whose monitor stopped takes no more work', async () => {
  const { handle, workers } = await start();
  await handle(makeEvent('Monitor Stopped', { sequence: 8, bootId: BOOT_ID }));
  expect(await workers.get(WORKER_ID)).toMatchObject({ condition: 'stopped' });
  expect(await workers.claim(WORKER_ID, SLOT, 1)).toBe(false);
});

test('what it runs stays with it', async () => {
  const { handle, workers } = await start();
  await workers.claim(WORKER_ID, SLOT, 1);
  await handle(makeEvent('Monitor Stopped', { sequence: 8, bootId: BOOT_ID }));
  expect(await workers.get(WORKER_ID)).toMatchObject({ condition: 'stopped', held: [SLOT] });
});

test('the last words of a monitor that was replaced, or of another, change nothing', async () => {
  const { handle, workers } = await start();
  await handle(makeEvent('Monitor Stopped', { sequence: 8, bootId: '3a6b0a4e-3d55-4c29-8d0a-d9a0c1c1f0ff' }));
  await handle({
    ...makeEvent('Monitor Stopped', { sequence: 8, bootId: BOOT_ID }),
    source: 'comfyui.monitor.pod-2',
  });
  expect(await workers.get(WORKER_ID)).toMatchObject({ condition: 'ready' });
});
