import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import type { PipelineClient } from '../client/client-contract.ts';
import { createPipelineClient } from '../client/pipeline-client.ts';
import { JOB_ID, pushOf, snapshotOf } from '../test-support/job-pushes.ts';
import { startPushServer, type PushServer } from '../test-support/push-server.ts';
import { until } from '../test-support/until.ts';
import { createGenerationStore, type GenerationStore, type KeyValueStorage } from './generation-store.ts';

const submission = { workflow_id: 'text_to_image_v1', priority: 5, payload: '{}' };
const KEY = 'generation.jobId';
const accepted = (id: string) => ({
  status: 201,
  body: { id, status: 'pending', workflow_id: 'w', created_at: '' },
});

let server: PushServer;
let client: PipelineClient;
let kept: Map<string, string>;
let storage: KeyValueStorage;

beforeEach(async () => {
  server = await startPushServer();
  const { apiUrl, webSocketUrl } = server;
  const timing = { tickMs: 2, reconnectBaseMs: 2, reconnectCapMs: 5 };
  client = createPipelineClient({ apiUrl, webSocketUrl, WebSocket, timing });
  server.onRequest = () => accepted(JOB_ID);
  server.onSubscribe = (jobId) => [
    snapshotOf({ jobId, sequence: 1, status: 'pending', progress: null, attempt: 0 }),
  ];
  kept = new Map();
  storage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
});
afterEach(async () => {
  client.close();
  await server.close();
});

const newStore = (): GenerationStore => createGenerationStore({ client, storage: () => storage });
/** The store as a page watches it: subscribed, with every status it showed. */
const watched = (store = newStore()): { store: GenerationStore; statuses: string[]; leave: () => void } => {
  const statuses: string[] = [];
  const leave = store.subscribe(() => {
    const { status } = store.getSnapshot();
    if (statuses.at(-1) !== status) statuses.push(status);
  });
  return { store, statuses, leave };
};
const shows = (store: GenerationStore, status: string): Promise<void> =>
  until(() => store.getSnapshot().status === status);

describe('generate', () => {
  test('goes from submitting over the nodes to the pictures', async () => {
    const { store, statuses } = watched();
    expect(await store.generate(submission)).toBe(JOB_ID);
    await until(() => store.getSnapshot().message === 'Waiting in the queue');
    expect(kept.get(KEY)).toBe(JOB_ID);
    server.push(pushOf('job_started', { sequence: 2 }), pushOf('job_progress', { sequence: 3 }));
    await until(() => store.getSnapshot().currentNode !== '');
    expect(store.getSnapshot()).toMatchObject({
      currentNode: 'K-Sampler',
      nodeState: 'executing',
      message: 'Generating image using K-Sampler: 15/20 steps (75%)',
      progress: { percentage: 67.9, step: 15, steps: 20, completedNodes: 4, totalNodes: 7 },
      connection: 'open',
      jobId: JOB_ID,
    });
    server.push(pushOf('job_completed', { sequence: 4 }));
    await shows(store, 'completed');
    expect(store.getSnapshot()).toMatchObject({ currentNode: '', progress: { percentage: 100, steps: 0 } });
    expect(store.getSnapshot().images).toHaveLength(1);
    expect(statuses).toEqual(['submitting', 'pending', 'running', 'completed']);
    expect(kept.has(KEY)).toBe(false);
  });

  test('a refusal of the API is shown and does not reject', async () => {
    server.onRequest = () => ({ status: 400, body: { error: 'payload.3: no such class' } });
    const { store } = watched();
    expect(await store.generate(submission)).toBeUndefined();
    expect(store.getSnapshot()).toMatchObject({
      status: 'failed',
      jobId: null,
      error: { message: 'payload.3: no such class', nodeName: null },
    });
  });

  test('a second one takes the place of the first, even when the first is answered later', async () => {
    const { store } = watched();
    server.onRequest = () => accepted(server.requests.length === 1 ? 'first' : 'second');
    const both = [store.generate(submission), store.generate(submission)];
    await Promise.all(both);
    await until(() => client.getState('second')?.status === 'pending');
    expect(store.getSnapshot().jobId).toBe(await both[1]);
    server.push(pushOf('job_failed', { jobId: (await both[0])!, sequence: 5 }));
    server.push(pushOf('job_completed', { jobId: (await both[1])!, sequence: 5 }));
    await shows(store, 'completed');
  });

  test('a failure names the node', async () => {
    const { store } = watched();
    await store.generate(submission);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    server.push(pushOf('job_failed', { sequence: 2 }));
    await shows(store, 'failed');
    expect(store.getSnapshot().error).toMatchObject({ nodeName: 'Load Image', nodeId: '1' });
  });

  test('a retry says when and which attempt comes', async () => {
    const { store } = watched();
    await store.generate(submission);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    server.push(pushOf('job_retrying', { sequence: 2 }));
    await shows(store, 'retrying');
    expect(store.getSnapshot().message).toBe(
      'ComfyUI restarted while the job ran. Trying again in 10 s (attempt 2 of 4)',
    );
  });
});

describe('resuming', () => {
  test('a refresh follows the job that was running', async () => {
    kept.set(KEY, JOB_ID);
    server.onSubscribe = (jobId) => [snapshotOf({ jobId })];
    const { store, statuses } = watched();
    await shows(store, 'running');
    expect(statuses).toEqual(['resuming', 'running']);
    expect(store.getSnapshot().progress.percentage).toBe(67.9);
    expect(server.requests).toHaveLength(0);
  });

  test('a remembered job that is gone is forgotten', async () => {
    kept.set(KEY, JOB_ID);
    server.onSubscribe = (jobId) => [{ type: 'error', code: 'notFound', message: 'no such job', jobId }];
    const { store } = watched();
    await shows(store, 'failed');
    expect(kept.has(KEY)).toBe(false);
  });

  test('nothing is read or opened before somebody subscribes, as where a server renders', () => {
    kept.set(KEY, JOB_ID);
    const store = createGenerationStore({
      client,
      storage: () => {
        throw new Error('there is no storage here');
      },
    });
    expect(store.getServerSnapshot()).toMatchObject({ status: 'idle', jobId: null });
    expect(server.handshakes).toHaveLength(0);
  });

  test('where storage is forbidden all else works', async () => {
    const store = createGenerationStore({
      client,
      storage: () => {
        throw new Error('SecurityError');
      },
    });
    watched(store);
    await store.generate(submission);
    await until(() => store.getSnapshot().message === 'Waiting in the queue');
  });

  test('leaving and coming back at once, as StrictMode does, asks the server once', async () => {
    kept.set(KEY, JOB_ID);
    const store = newStore();
    watched(store).leave();
    watched(store).leave();
    watched(store);
    await until(() => store.getSnapshot().message === 'Waiting in the queue');
    expect(server.handshakes).toHaveLength(1);
    expect(server.received).toHaveLength(1);
  });

  test('resume takes over a job by its id', async () => {
    const { store } = watched();
    store.resume('another');
    await until(() => client.getState('another')?.status === 'pending');
    expect(store.getSnapshot().jobId).toBe('another');
    expect(kept.get(KEY)).toBe('another');
  });
});

test('the snapshot stays the same object while nothing changes', async () => {
  const { store } = watched();
  await store.generate(submission);
  await until(() => client.getState(JOB_ID)?.sequence === 1);
  const before = store.getSnapshot();
  server.push(pushOf('job_started', { jobId: 'stranger' }), snapshotOf({ sequence: 0 }));
  await until(() => client.counters.strangers === 1);
  expect(store.getSnapshot()).toBe(before);
});
