/** The queue of each user and the share of each: the same on the table and in memory. */
import { describe, expect, test } from '@jest/globals';
import type { QueueEntry, UserShare } from '../../core/ports.ts';
import { KINDS, useStores } from '../test-support/contract-stores.ts';

const { setUpKind, freshId } = useStores();

const charge = (jobId: string, more: { startMs?: number; cap?: number; chargedMs?: number } = {}) => ({
  jobId,
  attempt: 1,
  chargedMs: 10_000,
  startMs: 0,
  cap: 3,
  ...more,
});

const unknown = (userId: string): UserShare => ({
  userId,
  waitingStamp: null,
  paused: false,
  finishMs: 0,
  startMs: 0,
  averageMs: null,
  active: [],
});

describe.each(KINDS)('%s', (kind) => {
  const setUp = () => setUpKind(kind);

  describe('queue', () => {
    const entryOf = (userId: string, jobId: string, priority: number, queuedAt: string): QueueEntry => ({
      jobId,
      userId,
      priority,
      queuedAt,
      notBefore: null,
      needs: { classes: ['KSampler'], models: [], tags: ['a100'] },
    });

    test('lists by priority, age and id, in pages, after an entry that is there or gone', async () => {
      const { queue, clock } = setUp();
      const user = freshId();
      const entry = (jobId: string, priority: number, ms: number): QueueEntry =>
        entryOf(user, jobId, priority, clock.iso(ms));
      const ordered = [
        entry('urgent', 10, 9000),
        entry('older', 5, 0),
        { ...entry('a-tie', 5, 1000), notBefore: clock.iso(60_000) },
        entry('b-tie', 5, 1000),
        entry('least', 0, -5000),
      ];
      for (const each of ordered.toReversed()) await queue.put(each);
      await queue.put(ordered[0]!);
      expect(await queue.list(user, 100)).toEqual(ordered);
      expect(await queue.list(user, 2)).toEqual(ordered.slice(0, 2));
      expect(await queue.list(user, 2, ordered[1])).toEqual(ordered.slice(2, 4));
      await queue.remove(ordered[1]!);
      await queue.remove(ordered[1]!);
      expect(await queue.list(user, 100, ordered[1])).toEqual(ordered.slice(2));
      expect(await queue.list(user, 100, ordered.at(-1))).toEqual([]);
      const left = (await queue.list(user, 100)).map(({ jobId }) => jobId);
      expect(left).toEqual(['urgent', 'a-tie', 'b-tie', 'least']);
    });

    test('a task of priority 0 passes a fresh one of 10 after fifty minutes, and not before', async () => {
      const { queue, clock } = setUp();
      const [user, minute] = [freshId(), 60_000];
      await queue.put(entryOf(user, 'waits', 0, clock.iso()));
      await queue.put(entryOf(user, 'fresh', 10, clock.iso(50 * minute + 1)));
      await queue.put(entryOf(user, 'sooner', 10, clock.iso(50 * minute - 1)));
      const order = (await queue.list(user, 3)).map(({ jobId }) => jobId);
      expect(order).toEqual(['sooner', 'waits', 'fresh']);
    });

    test('each user has a queue of its own, counted up to a limit', async () => {
      const { queue, clock } = setUp();
      const [one, other] = [freshId(), freshId()];
      for (const jobId of ['a', 'b', 'c']) await queue.put(entryOf(one, jobId, 5, clock.iso()));
      await queue.put(entryOf(other, 'a', 5, clock.iso()));
      await queue.remove(entryOf(one, 'a', 5, clock.iso()));
      expect((await queue.list(other, 10)).map(({ userId }) => userId)).toEqual([other]);
      expect(await queue.count(one, 100)).toBe(2);
      expect(await queue.count(one, 1)).toBe(1);
      expect(await queue.count(freshId(), 5)).toBe(0);
      expect(await queue.list(freshId(), 5)).toEqual([]);
    });

    test('each put marks the user as waiting with a mark of its own', async () => {
      const { queue, shares, clock } = setUp();
      const user = freshId();
      const stamp = async (): Promise<string | null | undefined> => (await shares.get(user))?.waitingStamp;
      await queue.put(entryOf(user, 'a', 5, clock.iso()));
      const first = await stamp();
      expect(await shares.get(user)).toEqual({ ...unknown(user), waitingStamp: first });
      await queue.put(entryOf(user, 'b', 5, clock.iso()));
      const second = await stamp();
      expect([typeof first, typeof second]).toEqual(['string', 'string']);
      expect(second).not.toBe(first);
      await shares.settleEmpty(user, first ?? '');
      expect(await stamp()).toBe(second);
      await shares.settleEmpty(user, second ?? '');
      expect(await stamp()).toBeNull();
      await queue.put(entryOf(user, 'c', 5, clock.iso()));
      expect(typeof (await stamp())).toBe('string');
    });

    test('an entry whose age is no instant is refused', async () => {
      const { queue } = setUp();
      const entry = entryOf(freshId(), 'a', 5, 'yesterday');
      await expect(queue.put(entry)).rejects.toMatchObject({ code: 'queue.invalidEntry', retryable: false });
      expect(await queue.list(entry.userId, 5)).toEqual([]);
    });
  });

  describe('shares', () => {
    test('a claim charges a user of whom nothing was known, once a job and up to the cap', async () => {
      const { shares } = setUp();
      const user = freshId();
      expect(await shares.get(user)).toBeUndefined();
      expect(await shares.claim(unknown(user), charge('b', { startMs: 500 }))).toBe(true);
      const one = await shares.get(user);
      const active = [{ jobId: 'b', attempt: 1, chargedMs: 10_000 }];
      expect(one).toEqual({ ...unknown(user), startMs: 500, finishMs: 10_500, active });
      expect(await shares.claim(one!, charge('b', { startMs: 10_500 }))).toBe(false);
      expect(await shares.claim(one!, charge('a', { startMs: 10_500, cap: 1 }))).toBe(false);
      expect(await shares.claim(one!, charge('a', { startMs: 10_500, cap: 2, chargedMs: 5 }))).toBe(true);
      expect(await shares.get(user)).toEqual({
        ...unknown(user),
        startMs: 10_500,
        finishMs: 10_505,
        active: [{ jobId: 'a', attempt: 1, chargedMs: 5 }, ...active],
      });
    });

    test('a claim on a share that has changed since it was read is refused', async () => {
      const { shares } = setUp();
      const user = freshId();
      await shares.claim(unknown(user), charge('a'));
      expect(await shares.claim(unknown(user), charge('b'))).toBe(false);
      expect(await shares.claim({ ...unknown(freshId()), finishMs: 7 }, charge('b'))).toBe(false);
      expect((await shares.get(user))?.active).toHaveLength(1);
    });

    test('a release charges what the attempt took, and remembers how long jobs take', async () => {
      const { shares } = setUp();
      const user = freshId();
      const run = async (jobId: string, actualMs: number): Promise<UserShare> => {
        const share = (await shares.get(user)) ?? unknown(user);
        expect(await shares.claim(share, charge(jobId, { startMs: share.finishMs }))).toBe(true);
        expect(await shares.release(user, jobId, 1, actualMs)).toBe(true);
        return (await shares.get(user))!;
      };
      expect(await run('a', 30_000)).toMatchObject({ startMs: 0, finishMs: 30_000, averageMs: 30_000 });
      const after = await run('b', 10_000);
      expect(after).toMatchObject({ startMs: 30_000, finishMs: 40_000, active: [] });
      expect(after.averageMs).toBeCloseTo(24_000);
    });

    test('a charge is given back for an attempt that never ran, kept for an unknown one, and never below the start', async () => {
      const { shares } = setUp();
      const user = freshId();
      const claimNext = async (jobId: string): Promise<boolean> => {
        const share = (await shares.get(user)) ?? unknown(user);
        return shares.claim(share, charge(jobId, { startMs: share.finishMs }));
      };
      await claimNext('never-ran');
      await shares.release(user, 'never-ran', 1, 0);
      expect(await shares.get(user)).toMatchObject({ finishMs: 0, averageMs: null });
      await claimNext('unknown');
      await shares.release(user, 'unknown', 1, null);
      expect(await shares.get(user)).toMatchObject({ finishMs: 10_000, averageMs: null });
      await claimNext('a');
      await claimNext('b');
      await shares.release(user, 'a', 1, 0);
      await shares.release(user, 'b', 1, 0);
      expect(await shares.get(user)).toMatchObject({ startMs: 20_000, finishMs: 20_000, active: [] });
    });

    test('only the attempt that is active is released, and once', async () => {
      const { shares } = setUp();
      const user = freshId();
      await shares.claim(unknown(user), charge('a'));
      expect(await shares.release(user, 'a', 2, 5)).toBe(false);
      expect(await shares.release(user, 'b', 1, 5)).toBe(false);
      expect(await shares.release(user, '__proto__', 1, 5)).toBe(false);
      expect(await shares.release(freshId(), 'a', 1, 5)).toBe(false);
      expect(await shares.release(user, 'a', 1, 5)).toBe(true);
      expect(await shares.release(user, 'a', 1, 5)).toBe(false);
      expect(await shares.claim((await shares.get(user))!, charge('a', { startMs: 5 }))).toBe(true);
    });

    test('users and the whole queue are paused and go on; all are listed', async () => {
      const { shares } = setUp();
      const [known, fresh] = [freshId(), freshId()];
      await shares.claim(unknown(known), charge('a'));
      await shares.setPaused(known, true);
      await shares.setPaused(fresh, true);
      const listed = async (): Promise<readonly UserShare[]> =>
        (await shares.list()).users.filter(({ userId }) => [known, fresh].includes(userId));
      expect(await shares.get(fresh)).toEqual({ ...unknown(fresh), paused: true });
      expect(await listed()).toEqual([await shares.get(known), await shares.get(fresh)]);
      expect((await listed()).map(({ paused }) => paused)).toEqual([true, true]);
      await shares.setPaused(known, false);
      expect(await shares.get(known)).toMatchObject({ paused: false, finishMs: 10_000 });
      expect((await shares.list()).paused).toBe(false);
      await shares.setAllPaused(true);
      expect((await shares.list()).paused).toBe(true);
      await shares.setAllPaused(false);
      expect((await shares.list()).paused).toBe(false);
    });

    test('a user is never mistaken for the settings, and no id is special', async () => {
      const { shares } = setUp();
      for (const userId of ['#settings', '##settings', '__proto__', 'constructor', '界'.repeat(100)]) {
        await shares.setPaused(userId, true);
        expect(await shares.get(userId)).toEqual({ ...unknown(userId), paused: true });
      }
      const { paused, users } = await shares.list();
      expect(paused).toBe(false);
      expect(users.map(({ userId }) => userId)).toEqual(
        expect.arrayContaining(['#settings', '##settings', '__proto__']),
      );
    });

    test('of twenty claims at once with a cap of three, retried while the share changes, exactly three win', async () => {
      const { shares } = setUp();
      const user = freshId();
      const claimFirm = async (jobId: string): Promise<boolean> => {
        for (;;) {
          const share = (await shares.get(user)) ?? unknown(user);
          if (await shares.claim(share, charge(jobId, { startMs: share.finishMs }))) return true;
          if (((await shares.get(user))?.active.length ?? 0) >= 3) return false;
        }
      };
      const jobs = Array.from({ length: 20 }, (_, index) => `job-${index}`);
      const wins = await Promise.all(jobs.map(claimFirm));
      expect(wins.filter(Boolean)).toHaveLength(3);
      const share = await shares.get(user);
      expect(share).toMatchObject({ startMs: 20_000, finishMs: 30_000 });
      expect(share?.active.map(({ jobId }) => jobId)).toEqual(jobs.filter((_, index) => wins[index]).sort());
    });

    test('of twenty claims at once on one reading exactly one wins', async () => {
      const { shares } = setUp();
      const user = freshId();
      const wins = await Promise.all(
        Array.from({ length: 20 }, (_, index) => shares.claim(unknown(user), charge(`job-${index}`))),
      );
      expect(wins.filter(Boolean)).toHaveLength(1);
    });

    test('releases at once are each counted', async () => {
      const { shares } = setUp();
      const user = freshId();
      const jobs = Array.from({ length: 8 }, (_, index) => `job-${index}`);
      for (const jobId of jobs) {
        const share = (await shares.get(user)) ?? unknown(user);
        await shares.claim(share, charge(jobId, { startMs: 0, chargedMs: 100 + share.finishMs, cap: 8 }));
      }
      const { finishMs } = (await shares.get(user))!;
      const chargedMs = (await shares.get(user))!.active.reduce((sum, each) => sum + each.chargedMs, 0);
      const released = await Promise.all(
        jobs.flatMap((jobId) => [1, 2].map(() => shares.release(user, jobId, 1, 10_000))),
      );
      expect(released.filter(Boolean)).toHaveLength(8);
      expect(await shares.get(user)).toMatchObject({
        finishMs: finishMs + 80_000 - chargedMs,
        averageMs: 10_000,
        active: [],
      });
    });
  });
});
