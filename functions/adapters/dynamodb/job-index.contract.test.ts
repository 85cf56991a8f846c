/** Jobs by user and jobs that are due: the same on the table's indexes and in memory. */
import { describe, expect, test } from '@jest/globals';
import type { Job } from '../../core/job.ts';
import type { JobIndex, TaskFilter } from '../../core/ports.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { makeJob } from '../../core/test-support/fixtures.ts';
import { KINDS, storesOf, useStores } from '../test-support/contract-stores.ts';
import { createJobIndex } from './job-index.ts';

const { table, setUpKind, freshId } = useStores();

const pageOf = async (index: JobIndex, userId: string, filter: TaskFilter) => {
  const answer = await index.list(userId, filter);
  if (answer.kind !== 'page') throw new Error(answer.kind);
  return answer;
};
/** Every page, until there is no cursor. */
const pagesOf = async (index: JobIndex, userId: string, filter: TaskFilter) => {
  const pages: (readonly string[])[] = [];
  let cursor: string | undefined;
  do {
    const page = await pageOf(index, userId, { ...filter, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.jobIds);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pages;
};

describe.each(KINDS)('index %s', (kind) => {
  const setUp = () => setUpKind(kind);

  /** Jobs of a new user, oldest first, a second apart. */
  const withJobs = async (overrides: readonly Partial<Job>[]) => {
    const stores = setUp();
    const userId = freshId();
    const jobIds: string[] = [];
    for (const [nth, each] of overrides.entries()) {
      const jobId = freshId();
      jobIds.push(jobId);
      await stores.jobs.create(makeJob({ jobId, userId, createdAt: stores.clock.iso(nth * 1000), ...each }));
    }
    return { ...stores, userId, jobIds, newest: jobIds.toReversed() };
  };

  test('lists the jobs of a user newest first, in pages of which the last says so', async () => {
    const { index, userId, newest } = await withJobs([{}, {}, {}, {}]);
    expect(await pageOf(index, userId, { limit: 4 })).toEqual({
      kind: 'page',
      jobIds: newest,
      cursor: undefined,
    });
    expect(await pagesOf(index, userId, { limit: 3 })).toEqual([newest.slice(0, 3), newest.slice(3)]);
    expect(await pagesOf(index, userId, { limit: 2 })).toEqual([newest.slice(0, 2), newest.slice(2)]);
    expect(await pagesOf(index, freshId(), { limit: 2 })).toEqual([[]]);
  });

  test('jobs of one millisecond are listed once each, and new ones do not shift a page', async () => {
    const { index, jobs, clock, userId, jobIds } = await withJobs([]);
    const createdAt = clock.iso();
    for (let nth = 0; nth < 5; nth += 1) {
      jobIds.push(freshId());
      await jobs.create(makeJob({ jobId: jobIds[nth]!, userId, createdAt }));
    }
    const first = await pageOf(index, userId, { limit: 2 });
    await jobs.create(makeJob({ jobId: freshId(), userId, createdAt: clock.iso(1000) }));
    const second = await pageOf(index, userId, { limit: 10, cursor: first.cursor! });
    expect([...first.jobIds, ...second.jobIds]).toEqual(jobIds.toReversed());
  });

  test('filters by status, workflow and both', async () => {
    const status = 'completed' as const;
    const made = await withJobs([{ status }, { workflowId: 'other' }, { status, workflowId: 'other' }, {}]);
    const { index, userId, jobIds } = made;
    const matching = async (filter: Partial<TaskFilter>) =>
      (await pagesOf(index, userId, { limit: 1, ...filter })).flat();
    expect(await matching({ status })).toEqual([jobIds[2], jobIds[0]]);
    expect(await matching({ workflowId: 'other' })).toEqual([jobIds[2], jobIds[1]]);
    expect(await matching({ status, workflowId: 'other' })).toEqual([jobIds[2]]);
    expect(await matching({ status: 'failed' })).toEqual([]);
    await made.jobs.update({ guard: { jobId: jobIds[3]!, statuses: ['pending'] }, patch: { status } });
    expect(await matching({ status })).toEqual([jobIds[3], jobIds[2], jobIds[0]]);
  });

  test('a cursor of another user, or of nobody, is refused', async () => {
    const { index, userId } = await withJobs([{}, {}]);
    const { cursor } = await pageOf(index, userId, { limit: 1 });
    const json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const bad = [
      '',
      'nonsense',
      '%00',
      json(null),
      json([]),
      json({ userId }),
      json({ userId, createdAt: 'yesterday', jobId: 'a' }),
      json({ userId, createdAt: '2026-11-22T10:00:00.000Z', jobId: { $gt: '' } }),
      json({ userId, createdAt: '2026-11-22T10:00:00.000Z', jobId: 'a'.repeat(5000) }),
      cursor!.slice(0, -9),
    ];
    for (const each of bad) {
      expect(await index.list(userId, { limit: 1, cursor: each })).toEqual({ kind: 'invalidCursor' });
    }
    expect(await index.list(freshId(), { limit: 1, cursor: cursor! })).toEqual({ kind: 'invalidCursor' });
    expect(await index.list(userId, { limit: 1, cursor: cursor! })).toMatchObject({ kind: 'page' });
  });

  test('counts each job of a user once, as it now is', async () => {
    const { index, jobs, userId, jobIds } = await withJobs([{}, {}, { status: 'failed' }, {}]);
    await jobs.update({
      guard: { jobId: jobIds[0]!, statuses: ['pending'] },
      patch: { status: 'completed' },
    });
    const none = { pending: 0, assigned: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
    expect(await index.counts(userId)).toEqual({ ...none, pending: 2, completed: 1, failed: 1 });
    expect(await index.counts(freshId())).toEqual(none);
  });

  test('finds the jobs that are due, longest overdue first, and no other', async () => {
    const stores = setUp();
    const { index, jobs } = stores;
    // Before any other test's time: all tests share the index of due jobs.
    const at = (second: number): string => `2001-01-01T00:00:0${second}.000Z`;
    const due = async (second: number | null): Promise<string> => {
      const jobId = freshId();
      const dueAt = second === null ? null : at(second);
      await jobs.create(makeJob({ jobId, status: 'running', dueAt }));
      return jobId;
    };
    const [third, first, second, later] = [await due(3), await due(1), await due(2), await due(5)];
    await due(null);
    expect(await index.due(at(3), 10)).toEqual([first, second, third]);
    expect(await index.due(at(3), 2)).toEqual([first, second]);
    expect(await index.due(at(0), 2)).toEqual([]);
    const guard = { jobId: first, statuses: ['running'] as const };
    await jobs.update({ guard, patch: { dueAt: at(4) } });
    expect(await index.due(at(4), 10)).toEqual([second, third, first]);
    await jobs.update({ guard, patch: { status: 'completed', dueAt: null } });
    expect(await index.due(at(5), 10)).toEqual([second, third, later]);
  });
});

test('a list with a filter reads twenty pages at most, then says where to go on', async () => {
  const { jobs } = storesOf(table(), createFakeClock());
  const index = createJobIndex({ table: table(), filteredPage: 1 });
  const userId = freshId();
  const jobIds: string[] = [];
  for (let nth = 0; nth < 45; nth += 1) {
    const jobId = freshId();
    jobIds.push(jobId);
    const createdAt = `2026-11-22T10:00:${nth + 10}.000Z`;
    await jobs.create(makeJob({ jobId, userId, createdAt, status: nth === 0 ? 'failed' : 'pending' }));
  }
  const filter = { limit: 1, status: 'failed' as const };
  expect(await pagesOf(index, userId, filter)).toEqual([[], [], [jobIds[0]]]);
});
