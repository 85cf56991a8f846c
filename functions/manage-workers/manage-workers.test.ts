import { describe, expect, test } from '@jest/globals';
import { workerListSchema, workerSchema } from '../../shared-types/index.ts';
import { createApiWorld, createCaller } from '../adapters/test-support/api-world.ts';
import type { ApiScope } from '../core/ports.ts';
import { makeInstance } from '../core/scaling/test-support/fixtures.ts';
import { makeRegistration, START, uuidOf } from '../core/test-support/fixtures.ts';
import { createManageWorkersHandler } from './manage-workers.ts';

const SECRET = 'https://proxy.example.com/s3cr3t-path';

const INSTANCE = makeInstance({ condition: 'launching', launchedAt: null });

const setUp = async () => {
  const world = createApiWorld();
  const { workers } = world.table;
  await workers.register(makeRegistration({ workerId: 'pod-1', tags: ['gpu:l4', 'provider:runpod'] }));
  await workers.register(makeRegistration({ workerId: 'pod-2', endpoint: SECRET, comfyuiVersion: null }));
  const hold = (jobId: string, userId: string) =>
    workers.claim('pod-1', { jobId, attempt: 1, userId, assignedAt: START }, 3);
  const call = createCaller(createManageWorkersHandler(world.ports));
  const list = async (scopes: readonly ApiScope[] = ['workers:read'], userId = 'user-1') =>
    workerListSchema.parse((await call('listWorkers', { scopes, userId })).json).workers;
  const drain = (id: string) => call('drainWorker', { pathParameters: { id } });
  const resume = (id: string) => call('resumeWorker', { pathParameters: { id } });
  return { ...world, hold, list, drain, resume };
};

describe('the list of workers', () => {
  test('shows each as the seed has it', async () => {
    const { list } = await setUp();
    expect(await list()).toMatchObject([
      {
        id: 'pod-1',
        pod_name: 'pod-1',
        status: 'idle',
        endpoint: 'http://10.0.3.17:8188',
        port: 8188,
        current_task_id: '',
        queued_tasks: 0,
        created_at: START,
        last_active_at: START,
        health_status: true,
        tags: ['gpu:l4', 'provider:runpod'],
        comfyui_version: '0.3.64',
        provider: 'runpod',
      },
      { id: 'pod-2', port: 443, comfyui_version: null, provider: 'static' },
    ]);
  });

  test('shows instances that were launched and not heard of, and which provider a worker is from', async () => {
    const { list, ports } = await setUp();
    for (const workerId of ['pod-1', 'gpu-9']) await ports.instances.create({ ...INSTANCE, workerId });
    await ports.instances.create({ ...INSTANCE, workerId: 'gone-1', condition: 'ended' });
    expect((await list()).map(({ id, status, provider }) => `${id} ${status} ${provider}`)).toEqual([
      'pod-1 idle novita',
      'pod-2 idle static',
      'gpu-9 starting novita',
    ]);
  });

  test('tells whose task runs to its owner and to operators alone', async () => {
    const { hold, list } = await setUp();
    await hold(uuidOf(1), 'user-1');
    await hold(uuidOf(2), 'user-2');
    const busy = { status: 'busy', queued_tasks: 1 };
    expect((await list())[0]).toMatchObject({ ...busy, current_task_id: uuidOf(1) });
    expect((await list(['workers:read'], 'user-2'))[0]).toMatchObject({ ...busy, current_task_id: '' });
    expect((await list(['workers:read', 'admin'], 'operator'))[0]).toMatchObject({
      ...busy,
      current_task_id: uuidOf(1),
    });
  });

  test('tells the path of an endpoint to operators alone', async () => {
    const { list } = await setUp();
    expect((await list())[1]).toMatchObject({ endpoint: 'https://proxy.example.com' });
    expect((await list(['workers:read', 'admin']))[1]).toMatchObject({ endpoint: SECRET });
  });

  test('says which are not well', async () => {
    const { table, list } = await setUp();
    await table.workers.quarantine('pod-1', '3a6b0a4e-3d55-4c29-8d0a-d9a0c1c1f001');
    await table.workers.markLost('pod-2', START);
    expect(await list()).toMatchObject([
      { status: 'failed', health_status: false },
      { status: 'lost', health_status: false },
    ]);
  });
});

describe('a worker', () => {
  test('is drained and taken into service again, which the log tells', async () => {
    const { drain, resume, list, logger } = await setUp();
    const drained = await drain('pod-1');
    expect(drained.status).toBe(200);
    expect(workerSchema.parse(drained.json)).toMatchObject({ id: 'pod-1', status: 'draining' });
    expect((await drain('pod-1')).status).toBe(200);
    expect((await list())[0]).toMatchObject({ status: 'draining', health_status: true });
    expect(await resume('pod-1')).toMatchObject({ status: 200, json: { status: 'idle' } });
    expect(logger.lines[0]).toMatchObject({
      code: 'worker.draining',
      data: { workerId: 'pod-1', draining: true, by: 'user-1' },
    });
  });

  test.each([['pod-3'], [''], ['__proto__'], ['../pod-1'], ['pod-1#'], ['x'.repeat(5000)]])(
    '%j that is not there is 404',
    async (id) => {
      const { drain, resume } = await setUp();
      expect(await drain(id)).toMatchObject({ status: 404, text: expect.stringContaining('"error"') });
      expect((await resume(id)).status).toBe(404);
    },
  );
});
