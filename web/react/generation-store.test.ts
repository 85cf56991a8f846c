import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import type { PipelineClient } from '../client/client-contract.ts';
import { createPipelineClient } from '../client/pipeline-client.ts';
import { JOB_ID, pushOf, snapshotOf } from '../test-support/job-pushes.ts';
import { startPushServer, type PushServer } from '../test-support/push-server.ts';
import { until } from '../test-support/until.ts';
import {
  createGenerationStore,
  type FailurePolicy,
  type GenerationStore,
  type KeyValueStorage,
} from './generation-store.ts';
import { retryWithSmallerSize } from './smaller-size.ts';

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

const newStore = (onFailure?: FailurePolicy): GenerationStore =>
  createGenerationStore({ client, storage: () => storage, onFailure });
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

describe('tries', () => {
  test('an attempt that failed is kept with the step it stood at, and the next one runs afresh', async () => {
    const { store } = watched();
    await store.generate(submission);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    server.push(pushOf('job_progress', { sequence: 2 }), pushOf('job_retrying', { sequence: 3 }));
    await shows(store, 'retrying');
    const [first] = store.getSnapshot().retries;
    expect(first).toMatchObject({
      number: 1,
      nodeName: 'K-Sampler',
      step: 15,
      steps: 20,
      percentage: 67.9,
      change: '',
    });
    expect(first?.message).toBe('ComfyUI restarted while the job ran.');
    server.push(pushOf('job_started', { sequence: 4, attempt: 2 }));
    await shows(store, 'running');
    expect(store.getSnapshot()).toMatchObject({ progress: { percentage: 0 }, nodes: [] });
    expect(store.getSnapshot().retries).toHaveLength(1);
  });

  const outOfMemory = {
    reason: 'outOfMemory',
    message: 'K-Sampler ran out of memory',
    nodeName: 'K-Sampler',
  } as const;
  const large = '{"5":{"class_type":"EmptyLatentImage","inputs":{"width":1024,"height":768,"batch_size":1}}}';

  test('what failed for want of memory is submitted again, smaller, and shown as it happens', async () => {
    const { store, statuses } = watched(newStore(retryWithSmallerSize));
    let made = 0;
    server.onRequest = () => accepted(`job-${(made += 1)}`);
    await store.generate({ ...submission, payload: large });
    await until(() => client.getState('job-1')?.sequence === 1);
    server.push(
      pushOf('job_progress', { jobId: 'job-1', sequence: 2 }),
      pushOf('job_failed', { jobId: 'job-1', sequence: 3, ...outOfMemory }),
    );
    await until(() => client.getState('job-2')?.sequence === 1);
    expect(statuses).toEqual(['submitting', 'pending', 'running', 'retrying', 'pending']);
    expect(server.requests[1]?.body).toContain('"width":768,"height":576,"batch_size":1');
    expect(server.requests[1]?.body).not.toMatch(/"change"|"note"/);
    const change = '768 × 576';
    const note = 'Out of memory at 1024 × 768: trying again at 768 × 576 (size 2 of 3)';
    expect(store.getSnapshot()).toMatchObject({
      jobId: 'job-2',
      error: null,
      retries: [{ step: 15, change, note }],
    });
    expect(kept.get(KEY)).toBe('job-2');
    server.push(pushOf('job_completed', { jobId: 'job-2', sequence: 2 }));
    await shows(store, 'completed');
  });

  test('it ends failed when the policy has no more to offer, with every try on record', async () => {
    const asked: number[] = [];
    const store = newStore((error, tries, failed) => {
      asked.push(tries);
      return error.reason === 'nodeError' && tries < 3 ? { ...failed, change: 'another sampler' } : undefined;
    });
    watched(store);
    let made = 0;
    server.onRequest = () => accepted(`job-${(made += 1)}`);
    await store.generate(submission);
    for (const jobId of ['job-1', 'job-2', 'job-3']) {
      await until(() => client.getState(jobId)?.sequence === 1);
      server.push(pushOf('job_failed', { jobId, sequence: 2 }));
    }
    await shows(store, 'failed');
    expect(asked).toEqual([1, 2, 3]);
    expect(store.getSnapshot().retries.map(({ number, change }) => [number, change])).toEqual([
      [1, 'another sampler'],
      [2, 'another sampler'],
    ]);
  });

  test('a next try that the API refuses is shown as the failure it is', async () => {
    const { store } = watched(newStore((_error, _tries, failed) => failed));
    await store.generate(submission);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    server.onRequest = () => ({ status: 429, body: { error: 'too many tasks' } });
    server.push(pushOf('job_failed', { sequence: 2 }));
    await until(() => store.getSnapshot().error?.message === 'too many tasks');
    expect(store.getSnapshot()).toMatchObject({
      status: 'failed',
      retries: [{ change: 'other parameters' }],
    });
  });

  test('of a job that was resumed the submission is not known: it stays failed', async () => {
    let asked = 0;
    const { store } = watched(newStore((_error, _tries, failed) => ((asked += 1), failed)));
    store.resume(JOB_ID);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    server.push(pushOf('job_failed', { sequence: 2 }));
    await shows(store, 'failed');
    expect(asked).toBe(0);
  });

  const known = { ...submission, payload: large };
  const runsOut = (jobId: string): void =>
    server.push(pushOf('job_failed', { jobId, sequence: 2, ...outOfMemory }));

  test('a job that was submitted elsewhere is tried again, too, when it is handed over with what it was', async () => {
    const { store } = watched(newStore(retryWithSmallerSize));
    server.onRequest = () => accepted('smaller');
    store.resume(JOB_ID, known);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    runsOut(JOB_ID);
    await until(() => store.getSnapshot().jobId === 'smaller');
    expect(server.requests.at(-1)?.body).toContain('"width":768,"height":576');
  });

  test('after a refresh, what was submitted is asked for, and tried again smaller', async () => {
    const asked: string[] = [];
    kept.set(KEY, JOB_ID);
    const submissionOf = (jobId: string) => (asked.push(jobId), Promise.resolve(known));
    const options = { client, storage: () => storage, onFailure: retryWithSmallerSize, submissionOf };
    const { store } = watched(createGenerationStore(options));
    server.onRequest = () => accepted('smaller');
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    runsOut(JOB_ID);
    await until(() => store.getSnapshot().jobId === 'smaller');
    expect(asked).toEqual([JOB_ID]);
  });

  test('what was submitted may be known only after the failure; of a job that was left it is of no use', async () => {
    const answers: ((submission: typeof known) => void)[] = [];
    const submissionOf = () => new Promise<typeof known>((resolve) => answers.push(resolve));
    const { store } = watched(
      createGenerationStore({ client, onFailure: retryWithSmallerSize, submissionOf }),
    );
    server.onRequest = () => accepted('smaller');
    store.resume('left');
    store.resume(JOB_ID);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    runsOut(JOB_ID);
    await shows(store, 'failed');
    for (const answer of answers) answer(known);
    await until(() => store.getSnapshot().jobId === 'smaller');
    expect(server.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('what was submitted may be gone: it stays failed', async () => {
    const submissionOf = () => Promise.reject(new Error('no longer kept'));
    const { store } = watched(
      createGenerationStore({ client, onFailure: retryWithSmallerSize, submissionOf }),
    );
    store.resume(JOB_ID);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    runsOut(JOB_ID);
    await shows(store, 'failed');
    expect(store.getSnapshot().error?.reason).toBe('outOfMemory');
  });

  test('an ended job is queued again as a new one', async () => {
    const { store } = watched();
    await store.generate(submission);
    expect(await store.retry()).toBeUndefined();
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    server.push(pushOf('job_failed', { sequence: 2 }));
    await shows(store, 'failed');
    server.onRequest = () => accepted('again');
    expect(await store.retry()).toBe('again');
    expect(server.requests.at(-1)?.path).toBe(`/api/v1/tasks/${JOB_ID}/retry`);
    await shows(store, 'pending');
  });
});

describe('cancelling', () => {
  test('asks once, says so until the job has stopped, and then is done', async () => {
    const { store } = watched();
    await store.generate(submission);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    server.onRequest = () => ({ status: 202, body: { id: JOB_ID, status: 'running' } });
    await Promise.all([store.cancel(), store.cancel()]);
    expect(server.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(1);
    expect(store.getSnapshot().cancelling).toBe(true);
    server.push(pushOf('job_cancelled', { sequence: 2 }));
    await shows(store, 'cancelled');
    expect(store.getSnapshot().cancelling).toBe(false);
    await store.cancel();
    expect(server.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(1);
  });

  test('before the task has an id, it is cancelled as soon as it has one', async () => {
    const { store } = watched();
    const generating = store.generate(submission);
    await store.cancel();
    await generating;
    await until(() =>
      server.requests.some(({ method, path }) => method === 'DELETE' && path.endsWith(JOB_ID)),
    );
  });

  test('a refusal is told, and it may be asked again', async () => {
    const { store } = watched();
    await store.generate(submission);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    server.onRequest = () => ({ status: 503, body: { error: 'not now' } });
    await store.cancel();
    expect(store.getSnapshot()).toMatchObject({
      cancelling: false,
      message: 'It could not be cancelled: not now',
    });
  });

  test('what fails while it is cancelled is not tried again', async () => {
    const { store } = watched(newStore((_error, _tries, failed) => failed));
    await store.generate(submission);
    await until(() => client.getState(JOB_ID)?.sequence === 1);
    await store.cancel();
    server.push(pushOf('job_failed', { sequence: 2 }));
    await shows(store, 'failed');
    expect(server.requests.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
  });
});

test('place, time left, nodes side by side and the picture so far are shown', async () => {
  const { store } = watched();
  const [node] = (pushOf('job_progress') as unknown as { runningNodes: { nodeId: string }[] }).runningNodes;
  server.onSubscribe = (jobId) => [
    snapshotOf({ jobId, sequence: 1, status: 'pending', progress: null, queuePosition: 2, attempt: 0 }),
  ];
  await store.generate(submission);
  await until(() => store.getSnapshot().queuePosition === 2);
  const runningNodes = [node, { ...node, nodeId: '8', nodeName: 'Upscale' }] as never;
  server.push(
    pushOf('job_progress', { sequence: 2, runningNodes }),
    pushOf('job_nodes', { sequence: 2 }),
    pushOf('job_preview', { sequence: 2 }),
  );
  await until(() => store.getSnapshot().preview !== null);
  const view = store.getSnapshot();
  expect(view).toMatchObject({ queuePosition: null, eta: { lowSeconds: 4, highSeconds: 7 } });
  expect(view.runningNodes.map(({ nodeName }) => nodeName)).toEqual(['K-Sampler', 'Upscale']);
  expect(view.nodes).toHaveLength(1);
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
