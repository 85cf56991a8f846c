/** Everything that a caller can do to a task, on the running stack. Pods are held, so that nothing depends on speed. */
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { apiCaller, createUser, type ApiAnswer, type ApiCaller } from './support/api.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { podControl, type PodControl } from './support/pods.ts';
import { waitUntil } from './support/wait.ts';
import { textToImage, type Workflow } from './support/workflows.ts';

/** Only waited out by a test that fails. */
jest.setTimeout(180_000);

let pipeline: Pipeline;
let api: ApiCaller;
let pod: PodControl;

beforeAll(async () => {
  pipeline = await startPipeline({ stepDelayMs: 1, aws: { scheduleScale: 20 } });
  api = apiCaller(pipeline.demo.endpoints.apiUrl);
  pod = podControl(pipeline.demo.pods[0]!.url);
}, 120_000);
afterAll(() => pipeline.stop(), 60_000);

let seed = 100;
beforeEach(async () => {
  await pod.release();
  seed += 100;
});

/** Never seen before, so that no cache answers it. */
const fresh = (): Workflow => textToImage({ seed: (seed += 1), steps: 2, size: 16 });
const submit = (fields: Readonly<Record<string, unknown>> = {}): Promise<string> =>
  api.submit({ payload: fresh(), ...fields });
const statusOf = async (id: string): Promise<string> => (await api.task(id)).status;
const running = (id: string): Promise<unknown> => api.until(id, ({ status }) => status === 'running');

/** Held at its start by the pod; the second one waits in ComfyUI's queue. */
const runningAndQueued = async (): Promise<readonly [string, string]> => {
  await pod.hold(0);
  const first = await submit();
  await running(first);
  const second = await submit();
  await queuedInComfyUi(second);
  return [first, second];
};
const queuedInComfyUi = (id: string): Promise<unknown> =>
  waitUntil(async () => (await pod.queue()).pending.some(({ jobId }) => jobId === id), {
    what: `${id} in ComfyUI's queue`,
    timeoutMs: 60_000,
  });
/** All that was sent has been handled, and nothing came of it. */
const staysPending = async (id: string): Promise<void> => {
  await pipeline.demo.aws.idle();
  expect(await statusOf(id)).toBe('pending');
  const { running: runs, pending } = await pod.queue();
  expect([...runs, ...pending].map(({ jobId }) => jobId)).not.toContain(id);
};
const cancel = (id: string): Promise<ApiAnswer> => api.operation('cancelTask', id);

describe('cancel', () => {
  test('ends a task that waits, one in the queue of ComfyUI and one that runs, and touches no other', async () => {
    const watcher = await pipeline.watch();
    const [first, second] = await runningAndQueued();
    const third = await submit();
    for (const id of [first, second, third]) {
      watcher.follow(id);
      await watcher.until(id, ({ type }) => type === 'job_snapshot', 60_000);
    }
    await staysPending(third);
    expect(await cancel(third)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect([200, 202]).toContain((await cancel(second)).status);
    await api.until(second, ({ status }) => status === 'cancelled');
    expect(await pod.queue()).toMatchObject({ running: [{ jobId: first }], pending: [] });

    const neighbour = await submit();
    await queuedInComfyUi(neighbour);
    const asked = await cancel(first);
    expect(asked.body).toMatchObject({ cancel_requested: true });
    const ended = await api.until(first, ({ status }) => status === 'cancelled');
    expect(ended).toMatchObject({ error: '', attempts: [{ status: 'cancelled' }] });
    await running(neighbour);
    await pod.release();
    expect(await api.finished(neighbour)).toMatchObject({ status: 'completed', attempt: 1 });

    for (const id of [first, second, third]) {
      await watcher.until(id, ({ type }) => type === 'job_cancelled', 60_000);
      expect(await cancel(id)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    }
    await pipeline.demo.aws.idle();
    for (const id of [first, second, third]) {
      const ends = watcher.of(id).filter(({ type }) => /^job_(completed|failed|cancelled)$/.test(type));
      // A repeated request tells of the same end again, under the number that it had.
      const distinct = new Set(ends.map(({ type, sequence }) => `${type} ${sequence}`));
      expect([...distinct]).toEqual([expect.stringMatching(/^job_cancelled /)]);
    }
    const executed = await pod.runs();
    expect(executed.find(({ jobId }) => jobId === first)?.end).toBe('execution_interrupted');
    expect(executed.filter(({ jobId }) => [second, third].includes(jobId))).toEqual([]);
    const late = await cancel(neighbour);
    expect(late).toMatchObject({ status: 409, body: { error: expect.stringMatching(/completed already/) } });
  });
});

describe('the queue', () => {
  test('of one user is paused and resumed; others go on', async () => {
    const { apiUrl } = pipeline.demo.endpoints;
    const other = await createUser(apiUrl, 'somebody-else');
    expect(await api.operation('pauseQueue')).toMatchObject({ status: 200, body: { paused: true } });
    const waits = await submit();
    const goesOn = await other.submit({ payload: fresh() });
    expect((await other.finished(goesOn)).status).toBe('completed');
    await staysPending(waits);
    expect((await other.operation('getQueue')).body).toEqual({ paused: false, all_paused: false });
    expect((await api.operation('resumeQueue')).body).toEqual({ paused: false, all_paused: false });
    expect((await api.finished(waits)).status).toBe('completed');
  });

  test('of everybody is paused and resumed by an operator', async () => {
    const other = await createUser(pipeline.demo.endpoints.apiUrl, 'somebody-else');
    const all = { body: { scope: 'all' } };
    expect((await other.operation('pauseQueue', '', all)).status).toBe(403);
    expect((await api.operation('pauseQueue', '', all)).body).toEqual({ paused: false, all_paused: true });
    const waits = await other.submit({ payload: fresh() });
    await pipeline.demo.aws.idle();
    expect((await other.task(waits)).status).toBe('pending');
    expect((await api.operation('resumeQueue', '', all)).body).toEqual({ paused: false, all_paused: false });
    expect((await other.finished(waits)).status).toBe('completed');
  });

  test('changes its order with a priority', async () => {
    const held = await runningAndQueued();
    const [third, fourth] = [await submit(), await submit()];
    expect((await api.task(third)).queue_position).toBe(1);
    const changed = await api.operation('changeTask', fourth, { body: { priority: 10 } });
    expect(changed).toMatchObject({ status: 200, body: { id: fourth, priority: 10, status: 'pending' } });
    expect((await api.task(fourth)).queue_position).toBe(1);
    expect((await api.task(third)).queue_position).toBe(2);
    await pod.release();
    await Promise.all([third, fourth].map((id) => api.finished(id)));
    const order = (await pod.runs()).map(({ jobId }) => jobId).slice(-4);
    expect(order).toEqual([...held, fourth, third]);
    expect((await api.operation('changeTask', third, { body: { priority: 1 } })).status).toBe(409);
  });
});

test('a task is retried as a new one, and what has ended stays as it was', async () => {
  await pod.failNext('execution_error', { afterSteps: 1 });
  const failed = await submit({ tags: [], priority: 7, session_id: 'mine' });
  expect(await api.finished(failed)).toMatchObject({ status: 'failed' });
  const answer = await api.operation('retryTask', failed);
  expect(answer).toMatchObject({ status: 201, body: { status: 'pending' } });
  const again = await api.finished(String(answer.body?.['id']));
  expect(again).toMatchObject({
    status: 'completed',
    retry_of: failed,
    priority: 7,
    session_id: 'mine',
    attempt: 1,
  });
  const before = await api.task(failed);
  expect(before).toMatchObject({ status: 'failed', retry_of: null, attempt: 1 });
  expect(again.payload).toEqual(before.payload);

  await pod.hold(0);
  const active = await submit();
  await running(active);
  const refused = await api.operation('retryTask', active);
  expect(refused).toMatchObject({ status: 409, body: { error: expect.stringMatching(/once it has ended/) } });
  await pod.release();
  await api.finished(active);
});

test('a drained worker finishes what it has and is given nothing more until it is resumed', async () => {
  const held = await runningAndQueued();
  const drained = await api.operation('drainWorker', 'pod-1');
  expect(drained).toMatchObject({ status: 200, body: { id: 'pod-1', status: 'draining' } });
  const waits = await submit();
  await pod.release();
  for (const id of held) expect((await api.finished(id)).status).toBe('completed');
  await staysPending(waits);
  expect((await api.operation('resumeWorker', 'pod-1')).body).toMatchObject({ status: 'idle' });
  expect(await api.finished(waits)).toMatchObject({ status: 'completed', attempt: 1 });
});

test('an Idempotency-Key repeated, at once or later, is one task and one execution', async () => {
  const body = JSON.stringify({ workflow_id: 'once', payload: fresh() });
  const headers = { 'idempotency-key': 'task of the test' };
  const send = (text: string): Promise<ApiAnswer> => api.operation('submitTask', '', { body: text, headers });
  const atOnce = await Promise.all(Array.from({ length: 5 }, () => send(body)));
  expect(atOnce.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
  const id = String(atOnce[0]?.body?.['id']);
  await api.finished(id);
  const later = await send(body);
  expect(new Set([...atOnce, later].map((answer) => answer.body?.['id']))).toEqual(new Set([id]));
  await pipeline.demo.aws.idle();
  expect((await pod.runs()).filter(({ jobId }) => jobId === id)).toHaveLength(1);
  const other = await send(JSON.stringify({ workflow_id: 'twice', payload: fresh() }));
  expect(other).toMatchObject({ status: 409, body: { error: expect.stringMatching(/another request/) } });
});

test('a task that runs for longer than it may is interrupted, and fails for that reason', async () => {
  await pod.hold(0);
  const id = await submit({ timeout_seconds: 1 });
  const task = await api.finished(id, 150_000);
  expect(task).toMatchObject({ status: 'failed', retry_count: 0, attempts: [{ reason: 'timeout' }] });
  expect(task.error).toMatch(/longer than 1 second/);
  expect((await pod.runs()).find(({ jobId }) => jobId === id)?.end).toBe('execution_interrupted');
  await pod.release();
  expect((await api.finished(await submit())).status).toBe('completed');
});

test('a task with a tag waits for a worker that has it', async () => {
  const id = await submit({ tags: ['sdxl'] });
  expect((await api.finished(await submit())).status).toBe('completed');
  await staysPending(id);
  await pipeline.addWorker('pod-sdxl', { WORKER_TAGS: 'eu,sdxl' });
  expect(await api.finished(id)).toMatchObject({ status: 'completed', worker_id: 'pod-sdxl', attempt: 1 });
});

test('a task that takes two workers down is not tried on a third', async () => {
  const doomed = new Map<string, PodControl>();
  for (const workerId of ['pod-3', 'pod-4']) {
    const { url } = await pipeline.addWorker(workerId, { WORKER_TAGS: 'doomed' });
    doomed.set(workerId, podControl(url));
  }
  for (const control of doomed.values()) {
    await control.failNext('crash', { afterSteps: 1, restartAfterMs: 200 });
    // Nobody has heard of a prompt whose ComfyUI dies within milliseconds.
    await control.hold(0);
  }
  const id = await submit({ tags: ['doomed'], max_retries: 5 });
  for (const attempt of [1, 2]) {
    const started = await api.until(id, (task) => task.status === 'running' && task.attempt === attempt);
    await doomed.get(started.worker_id)!.release();
  }
  const task = await api.finished(id, 150_000);
  expect(task).toMatchObject({ status: 'failed', attempt: 2, retry_count: 1 });
  expect(task.error).toMatch(/not tried again/);
  expect(task.attempts.map(({ reason }) => reason)).toEqual(['comfyRestarted', 'comfyRestarted']);
  expect(new Set(task.attempts.map(({ worker_id }) => worker_id))).toEqual(new Set(['pod-3', 'pod-4']));
});
