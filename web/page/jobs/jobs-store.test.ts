import { describe, expect, test } from '@jest/globals';
import { initialJobState, type JobState } from '../../client/job-model.ts';
import { ApiError } from '../api/pipeline-error.ts';
import type { TaskPage, TaskRow } from '../api/read-answers.ts';
import { createJobsStore, type JobEntry } from './jobs-store.ts';

const row = (id: string, changes: Partial<TaskRow> = {}): TaskRow => ({
  id,
  workflowId: 'w',
  status: 'running',
  priority: 5,
  workerId: '',
  createdAt: `2026-01-01T00:00:${id.padStart(2, '0')}.000Z`,
  startedAt: null,
  completedAt: null,
  error: '',
  attempt: 1,
  progress: 0,
  cancelRequested: false,
  retryOf: null,
  ...changes,
});

const setUp = (pages: Record<string, TaskPage | ApiError>) => {
  const followers = new Map<string, (state: JobState) => void>();
  const cancelled: string[] = [];
  const client = {
    follow: (id: string, listener: (state: JobState) => void) => {
      followers.set(id, listener);
      listener(initialJobState(id));
      return () => void followers.delete(id);
    },
  };
  const api = {
    listTasks: ({ cursor = 'first' }: { cursor?: string | undefined }) => {
      const page = pages[cursor]!;
      return page instanceof ApiError ? Promise.reject(page) : Promise.resolve(page);
    },
    cancel: (id: string) => {
      if (id === 'gone') return Promise.reject(new ApiError('refused', 'no such task', { status: 404 }));
      cancelled.push(id);
      return Promise.resolve();
    },
    retry: () => Promise.resolve('99'),
    queue: () => Promise.resolve({ paused: false, allPaused: false }),
    changeQueue: (action: string) => Promise.resolve({ paused: action === 'pause', allPaused: false }),
  };
  const store = createJobsStore({
    client,
    api,
    refreshMs: 1e9,
    now: () => Date.parse('2026-01-01T01:00:00Z'),
  });
  let told = 0;
  const leave = store.subscribe(() => (told += 1));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const push = (id: string, changes: Partial<JobState>) =>
    followers.get(id)!({ ...initialJobState(id), attempt: 1, ...changes });
  const entry = (id: string): JobEntry => store.getSnapshot().entries.find((one) => one.id === id)!;
  return { store, leave, settle, push, entry, followers, cancelled, pages, told: () => told };
};
const page = (tasks: readonly TaskRow[], nextCursor: string | null = null): TaskPage => ({
  tasks,
  nextCursor,
});

describe('the list of jobs', () => {
  test('shows the newest first, follows the unfinished and shows what they say', async () => {
    const it = setUp({ first: page([row('1'), row('2', { status: 'completed' })]) });
    expect(it.store.getSnapshot().phase).toBe('loading');
    await it.settle();
    expect(it.store.getSnapshot().entries.map(({ id }) => id)).toEqual(['2', '1']);
    expect([...it.followers.keys()]).toEqual(['1']);
    it.push('1', { status: 'running', percentage: 64, message: 'at work' });
    expect(it.entry('1')).toMatchObject({ percentage: 64, live: { message: 'at work' } });
    it.push('1', {
      status: 'failed',
      failure: { message: 'no memory', reason: 'outOfMemory', nodeId: '3', nodeName: 'K', nodeType: 'K' },
    });
    expect(it.entry('1')).toMatchObject({ status: 'failed', error: 'no memory' });
    expect(it.followers.size).toBe(0);
    it.leave();
  });

  test('a snapshot stays the same object until something changes', async () => {
    const it = setUp({ first: page([row('1')]) });
    await it.settle();
    expect(it.store.getSnapshot()).toBe(it.store.getSnapshot());
    it.leave();
  });

  test('a job is there as soon as it is submitted, and a stale list does not take it back', async () => {
    const it = setUp({ first: page([]) });
    await it.settle();
    it.store.add('7', 'new');
    expect(it.entry('7')).toMatchObject({ status: 'pending', workflowId: 'new' });
    await it.store.refresh();
    expect(it.entry('7').status).toBe('pending');
    it.leave();
  });

  test('a list that was asked for before the end does not undo it', async () => {
    const it = setUp({ first: page([row('1', { status: 'completed' })]) });
    await it.settle();
    it.pages['first'] = page([row('1', { status: 'running' })]);
    await it.store.refresh();
    expect(it.entry('1').status).toBe('completed');
    it.leave();
  });

  test('of many open jobs the forty oldest are followed, and the next ones when those end', async () => {
    const rows = Array.from({ length: 55 }, (_, n) =>
      row(String(n + 1), { createdAt: new Date(n * 1000).toISOString() }),
    );
    const it = setUp({ first: page(rows) });
    await it.settle();
    expect(it.followers.size).toBe(40);
    expect(it.followers.has('1')).toBe(true);
    expect(it.followers.has('55')).toBe(false);
    it.push('1', { status: 'completed' });
    expect(it.followers.has('41')).toBe(true);
    it.leave();
    expect(it.followers.size).toBe(0);
  });

  test('further pages are added, and a refresh does not begin anew', async () => {
    const it = setUp({ first: page([row('9')], 'next'), next: page([row('1')], null) });
    await it.settle();
    expect(it.store.getSnapshot().hasMore).toBe(true);
    await it.store.more();
    await it.store.refresh();
    expect(it.store.getSnapshot()).toMatchObject({ hasMore: false });
    expect(it.store.getSnapshot().entries).toHaveLength(2);
    it.leave();
  });

  test('a list that cannot be had says why, keeps what is known, and recovers', async () => {
    const it = setUp({ first: page([row('1')]) });
    await it.settle();
    it.pages['first'] = new ApiError('network', 'out of reach', { status: 0 });
    await it.store.refresh();
    expect(it.store.getSnapshot()).toMatchObject({ phase: 'failed', error: 'out of reach' });
    expect(it.store.getSnapshot().entries).toHaveLength(1);
    it.pages['first'] = page([]);
    await it.store.refresh();
    expect(it.store.getSnapshot()).toMatchObject({ phase: 'ready', error: '' });
    it.leave();
  });
});

describe('what can be done', () => {
  test('cancelling shows at once and stays until the end is known', async () => {
    const it = setUp({ first: page([row('1')]) });
    await it.settle();
    const cancelling = it.store.cancel('1');
    expect(it.entry('1').cancelling).toBe(true);
    await cancelling;
    expect(it.cancelled).toEqual(['1']);
    it.push('1', { status: 'cancelled' });
    expect(it.entry('1')).toMatchObject({ status: 'cancelled', cancelling: false });
    it.leave();
  });

  test('a cancellation that is refused is taken back and told', async () => {
    const it = setUp({ first: page([row('gone')]) });
    await it.settle();
    await expect(it.store.cancel('gone')).rejects.toThrow('no such task');
    expect(it.entry('gone').cancelling).toBe(false);
    it.leave();
  });

  test('a retry is a new job of the same workflow', async () => {
    const it = setUp({ first: page([row('1', { status: 'failed', workflowId: 'mine' })]) });
    await it.settle();
    expect(await it.store.retry('1')).toBe('99');
    expect(it.entry('99')).toMatchObject({ workflowId: 'mine', status: 'pending' });
    it.leave();
  });

  test('the queue is paused and goes on', async () => {
    const it = setUp({ first: page([]) });
    await it.settle();
    await it.store.changeQueue('pause');
    expect(it.store.getSnapshot().queue).toEqual({ paused: true, allPaused: false });
    it.leave();
  });
});
