/**
 * Many jobs on three pods while AWS delays, duplicates, reorders and fails. `CHAOS_JOBS=200` is the whole run; by
 * default fewer, for each job is some sixty calls of the embedded AWS.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { JobPush, Task } from '../shared-types/index.ts';
import { startPipeline, type Pipeline, type Watcher } from './support/pipeline.ts';
import { storedKeys } from './support/stored-keys.ts';
import { waitUntil } from './support/wait.ts';
import { missingPicture, textToImage, type Workflow } from './support/workflows.ts';

/** A multiple of ten: every tenth is a bad workflow. */
const JOBS = Number(process.env['CHAOS_JOBS'] ?? 10);
/** Only waited out by a test that fails: 200 jobs take a busy machine some minutes. */
const [WAIT_MS, TEST_MS] = [400_000, 540_000];
let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline({
    pods: 3,
    stepDelayMs: 1,
    aws: {
      chaos: {
        seed: 20_261_122,
        failRate: 0.03,
        duplicateRate: 0.2,
        delayRate: 0.2,
        latencyMs: { min: 0, max: 40 },
      },
      asyncRetryBaseMs: 50,
      scheduleScale: 30,
    },
  });
}, 90_000);
afterAll(() => pipeline.stop(), 30_000);

/** Every tenth job fails in ComfyUI's own validation. */
const isBad = (index: number): boolean => index % 10 === 9;

const submitAll = async (): Promise<string[]> => {
  const ids: string[] = [];
  for (let index = 0; index < JOBS; index += 1) {
    const workflow = textToImage({ seed: index, steps: 2, size: 16 });
    ids.push(await submitOne(isBad(index) ? missingPicture() : workflow));
  }
  return ids;
};

/** A caller that gets a 5xx asks again; chaos may have failed the first. */
const submitOne = async (workflow: Workflow): Promise<string> => {
  for (;;) {
    const { status, body } = await pipeline.api.post(
      JSON.stringify({ workflow_id: 'chaos', priority: 5, payload: workflow }),
    );
    if (status === 201) return String(body['id']);
    expect(status).toBeGreaterThanOrEqual(500);
  }
};

/** Asks for the open tasks only, a few at a time: two hundred pollers would be the heaviest load of the test. */
const allFinished = async (ids: readonly string[]): Promise<Task[]> => {
  const ended = new Map<string, Task>();
  const askFor = async (id: string): Promise<void> => {
    const task = await pipeline.api.get(id).catch(() => undefined);
    if (task !== undefined && ['completed', 'failed', 'cancelled'].includes(task.status)) ended.set(id, task);
  };
  const round = async (): Promise<boolean> => {
    for (const id of ids.filter((open) => !ended.has(open))) await askFor(id);
    return ended.size === ids.length;
  };
  const open = (): string => ids.filter((id) => !ended.has(id)).join(', ');
  await waitUntil(round, { what: 'the end of every task', timeoutMs: WAIT_MS, pollMs: 500 }).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}; open: ${open()}`);
    },
  );
  return ids.map((id) => ended.get(id)!);
};

const saysTheEnd = (push: JobPush): boolean =>
  ['job_completed', 'job_failed'].includes(push.type) ||
  (push.type === 'job_snapshot' && ['completed', 'failed'].includes(push.status));

/** A push that chaos swallowed is made good as a client does it: by asking for a snapshot. */
const hearTheEnd = (watcher: Watcher, id: string): Promise<unknown> => {
  let asked = 0;
  const told = (): boolean => {
    if (watcher.of(id).some(saysTheEnd)) return true;
    asked += 1;
    if (asked % 20 === 0) watcher.follow(id);
    return false;
  };
  return waitUntil(told, { what: `the end of ${id} on the socket`, timeoutMs: 60_000, pollMs: 50 });
};

/** Delivery order over a socket is not promised: a client sorts by sequence, and so does this check. */
const checkPushes = (watcher: Watcher, id: string): void => {
  const pushes = [...watcher.of(id)].sort((a, b) => a.sequence - b.sequence);
  expect(pushes.length).toBeGreaterThan(0);
  const terminals = pushes.filter(saysTheEnd).map(({ sequence }) => sequence);
  expect(new Set(terminals).size).toBe(1);
  let attempt = 0;
  let percentage = 0;
  for (const push of pushes) {
    if (push.attempt > attempt) [attempt, percentage] = [push.attempt, 0];
    if (push.type === 'job_progress') {
      expect(push.overallPercentage).toBeGreaterThanOrEqual(percentage);
      percentage = push.overallPercentage;
    }
    // Nodes that are told late add to the state that there is: the end has the highest number, and nothing changes it.
    const isAddition = push.type === 'job_nodes' || push.type === 'job_preview';
    const least = (terminals[0] ?? 0) + (isAddition ? 1 : 0);
    if (!saysTheEnd(push)) expect(push.sequence).toBeLessThan(least);
  }
};

test(
  `${JOBS} jobs end in exactly one right state each, and each picture is stored once`,
  async () => {
    const watchers = await Promise.all(Array.from({ length: 2 }, () => pipeline.watch()));
    const ids = await submitAll();
    const followed = ids.filter((_, index) => index % 2 === 0);
    followed.forEach((id, index) => watchers[index % watchers.length]!.follow(id));
    const tasks = await allFinished(ids);
    await pipeline.demo.aws.idle();

    const wrong = tasks.filter((task, index) => task.status !== (isBad(index) ? 'failed' : 'completed'));
    expect(wrong.map(({ id, status, error }) => ({ id, status, error }))).toEqual([]);
    const sources = tasks.flatMap((task) => task.result?.outputs.map(({ src }) => src) ?? []);
    expect(sources).toHaveLength(JOBS * 0.9);
    expect(new Set(sources).size).toBe(sources.length);
    const keys = await storedKeys(pipeline.demo);
    expect(keys.sort()).toEqual(sources.map((src) => new URL(src).pathname.slice(1)).sort());
    const watcherOf = (index: number): Watcher => watchers[index % watchers.length]!;
    await Promise.all(followed.map((id, index) => hearTheEnd(watcherOf(index), id)));
    followed.forEach((id, index) => checkPushes(watcherOf(index), id));
    const after = await allFinished(ids);
    expect(after.map(({ status, attempt }) => [status, attempt])).toEqual(
      tasks.map(({ status, attempt }) => [status, attempt]),
    );
  },
  TEST_MS,
);
