/** The registry of workers: the same on the table and in memory. */
import { describe, expect, test } from '@jest/globals';
import {
  CLIENT_ID,
  makeRegistration as registration,
  START,
  uuidOf,
} from '../../core/test-support/fixtures.ts';
import { statusOf, type Assignment, type WorkerStatus } from '../../core/worker.ts';
import { KINDS, type Stores, useStores } from '../test-support/contract-stores.ts';

const { setUpKind, freshId } = useStores();

const report = (workerId: string, sequence: number, more = {}) => ({
  workerId,
  clientId: CLIENT_ID,
  bootId: registration().bootId,
  sequence,
  timestamp: START,
  ...more,
});
const newBoot = (timestamp: string) => ({ bootId: uuidOf(777), sequence: 1, timestamp });
const assignment = (jobId: string, assignedAt = START): Assignment => ({
  jobId,
  attempt: 1,
  userId: 'user-1',
  assignedAt,
});

describe.each(KINDS)('workers %s', (kind) => {
  const setUp = () => setUpKind(kind);
  const register = async (stores: Stores, workerId: string): Promise<void> => {
    expect(await stores.workers.register(registration({ workerId }))).toBe('applied');
  };
  /** A registered worker, and what is asked of it most. */
  const worker = async () => {
    const stores = setUp();
    const workerId = freshId();
    await register(stores, workerId);
    const { workers } = stores;
    return {
      ...stores,
      workerId,
      beat: (sequence: number, available = true) =>
        workers.heartbeat({ ...report(workerId, sequence), available }),
      claim: (jobId: string, depth = 1) => workers.claim(workerId, assignment(jobId), depth),
      status: async (): Promise<WorkerStatus | undefined> => {
        const found = await workers.get(workerId);
        return found && statusOf(found);
      },
      held: async () => (await workers.get(workerId))?.held.map(({ jobId }) => jobId),
    };
  };

  test('a first registration makes an idle worker', async () => {
    const { workers, clock } = setUp();
    const workerId = freshId();
    const tags = ['b', 'a', 'b'];
    const first = registration({ workerId, tags, timestamp: '2026-11-22T12:00:00.000+02:00' });
    expect(await workers.register(first)).toBe('applied');
    const expected = {
      workerId,
      clientId: CLIENT_ID,
      endpoint: 'http://10.0.3.17:8188',
      condition: 'ready',
      held: [],
      lastAssignedAt: null,
      bootId: first.bootId,
      monitorSequence: 1,
      comfyuiVersion: '0.3.64',
      registeredAt: clock.iso(),
      connectedAt: clock.iso(),
      lastSeenAt: clock.iso(),
      avoidUntil: null,
      quarantined: false,
      tags: ['a', 'b'],
      catalogueHash: null,
      failedSince: null,
    };
    expect(await workers.get(workerId)).toEqual(expected);
    expect((await workers.list()).filter((each) => each.workerId === workerId)).toEqual([expected]);
    expect(await workers.get(freshId())).toBeUndefined();
  });

  test('tells since when its monitor is connected: a heartbeat is no new connection', async () => {
    const { workers, clock } = setUp();
    const workerId = freshId();
    await workers.register(registration({ workerId }));
    const connectedAt = clock.iso();
    clock.advance(10_000);
    const later = registration({ workerId, sequence: 2, timestamp: clock.iso() });
    await workers.heartbeat({ ...later, available: true });
    expect(await workers.get(workerId)).toMatchObject({ connectedAt, registeredAt: connectedAt });
    clock.advance(10_000);
    expect(await workers.register({ ...later, sequence: 3, timestamp: clock.iso() })).toBe('applied');
    expect(await workers.get(workerId)).toMatchObject({
      connectedAt: clock.iso(),
      registeredAt: connectedAt,
    });
  });

  describe('slots', () => {
    test.each([1, 2, 5])('of twenty claims at once on a depth of %d just as many win', async (depth) => {
      const { workers, workerId, claim, held, status } = await worker();
      const jobs = Array.from({ length: 20 }, (_, index) => `job-${index}`);
      const wins = await Promise.all(jobs.map((jobId) => claim(jobId, depth)));
      expect(wins.filter(Boolean)).toHaveLength(depth);
      const winners = jobs.filter((_, index) => wins[index]);
      expect(await held()).toEqual(winners.sort());
      expect(await status()).toBe('busy');
      expect((await workers.get(workerId))?.lastAssignedAt).toBe(START);
    });

    test('only the attempt that is held is released, once, and answers what it was', async () => {
      const { workers, workerId, claim, status } = await worker();
      await claim('job');
      expect(await workers.release(workerId, 'job', 2)).toBeUndefined();
      expect(await workers.release(workerId, 'other', 1)).toBeUndefined();
      expect(await workers.release(workerId, '__proto__', 1)).toBeUndefined();
      expect(await workers.release(freshId(), 'job', 1)).toBeUndefined();
      expect(await workers.release(workerId, 'job', 1)).toEqual(assignment('job'));
      expect(await workers.release(workerId, 'job', 1)).toBeUndefined();
      expect(await status()).toBe('idle');
      expect(await workers.claim(freshId(), assignment('job'), 1)).toBe(false);
    });

    test('what is held is listed oldest first, a job takes one slot, and each slot is freed alone', async () => {
      const { workers, workerId, held, claim } = await worker();
      const claimAt = (jobId: string, at: string) => workers.claim(workerId, assignment(jobId, at), 4);
      expect(await claimAt('z', '2026-11-22T10:00:01.000Z')).toBe(true);
      expect(await claimAt('a', '2026-11-22T10:00:02.000Z')).toBe(true);
      expect(await claimAt('b', '2026-11-22T10:00:00.000Z')).toBe(true);
      expect(await workers.claim(workerId, { ...assignment('a'), attempt: 2 }, 4)).toBe(false);
      expect(await held()).toEqual(['b', 'z', 'a']);
      await workers.release(workerId, 'z', 1);
      expect(await held()).toEqual(['b', 'a']);
      expect(await claim('c', 2)).toBe(false);
      expect(await claim('c', 3)).toBe(true);
    });

    test('ids that are names of an object prototype are ids like any other', async () => {
      const stores = setUp();
      for (const id of ['constructor', 'toString', 'hasOwnProperty']) {
        expect(await stores.workers.get(id)).toBeUndefined();
        await register(stores, id);
        expect(await stores.workers.claim(id, assignment(id), 1)).toBe(true);
        expect((await stores.workers.get(id))?.held).toEqual([assignment(id)]);
        expect(await stores.workers.release(id, id, 1)).toEqual(assignment(id));
      }
    });
  });

  describe('reports', () => {
    test('those of a boot apply in order, and silence is measured by our clock', async () => {
      const { workers, clock, workerId, beat, status } = await worker();
      clock.advance(20_000);
      const wrongClock = report(workerId, 3, { timestamp: '2001-01-01T00:00:00.000Z' });
      expect(await workers.heartbeat({ ...wrongClock, available: true })).toBe('applied');
      expect(await workers.get(workerId)).toMatchObject({ lastSeenAt: clock.iso(), monitorSequence: 3 });
      expect(await beat(3, false)).toBe('refused');
      expect(await beat(2, false)).toBe('refused');
      expect(await workers.stop(report(workerId, 2))).toBe('refused');
      expect(await workers.register(registration({ workerId, sequence: 2 }))).toBe('refused');
      expect(await workers.get(workerId)).toMatchObject({ condition: 'ready', monitorSequence: 3 });
      expect(await status()).toBe('idle');
      expect(await workers.heartbeat({ ...report(freshId(), 1), available: true })).toBe('refused');
    });

    test('a newer boot takes over and keeps what is held; an older one is refused', async () => {
      const { workers, clock, workerId, claim } = await worker();
      await claim('job');
      await workers.setCatalogue(workerId, 'hash');
      const older = registration({ workerId, ...newBoot(clock.iso(-1000)) });
      expect(await workers.register(older)).toBe('refused');
      const newer = registration({
        workerId,
        ...newBoot(clock.iso(1000)),
        endpoint: 'http://10.0.3.99:8188',
        tags: ['new'],
      });
      expect(await workers.register(newer)).toBe('applied');
      const taken = {
        condition: 'ready',
        held: [assignment('job')],
        bootId: newer.bootId,
        monitorSequence: 1,
        endpoint: 'http://10.0.3.99:8188',
        tags: ['new'],
        catalogueHash: 'hash',
        registeredAt: START,
      };
      expect(await workers.get(workerId)).toMatchObject(taken);
      expect(await workers.heartbeat({ ...report(workerId, 9), available: false })).toBe('refused');
      expect(await workers.stop(report(workerId, 10))).toBe('refused');
      expect(await workers.register(registration({ workerId, sequence: 11 }))).toBe('refused');
      expect(await workers.get(workerId)).toMatchObject(taken);
    });

    test('since when its ComfyUI does not answer is kept while it does not, and no longer', async () => {
      const { workers, clock, workerId, beat } = await worker();
      const failedSince = async () => (await workers.get(workerId))?.failedSince;
      await beat(2, false);
      const first = clock.iso();
      expect(await failedSince()).toBe(first);
      clock.advance(20_000);
      await beat(3, false);
      expect(await failedSince()).toBe(first);
      await beat(4, true);
      expect(await failedSince()).toBeNull();
      await beat(5, false);
      expect(await failedSince()).toBe(clock.iso());
      await workers.register(registration({ workerId, ...newBoot(clock.iso(1000)) }));
      expect(await failedSince()).toBeNull();
    });

    test('instants with an offset are compared as instants', async () => {
      const { workers, workerId } = await worker();
      const sameMoment = registration({ workerId, ...newBoot('2026-11-22T12:00:00.000+02:00') });
      expect(await workers.register(sameMoment)).toBe('refused');
    });

    test.each([false, true])('a ComfyUI fails and recovers; holding a job: %s', async (holding) => {
      const { beat, claim, status, held } = await worker();
      if (holding) await claim('job');
      await beat(2, false);
      expect(await status()).toBe('failed');
      expect(await claim('other', 5)).toBe(false);
      await beat(3);
      expect(await status()).toBe(holding ? 'busy' : 'idle');
      expect(await held()).toEqual(holding ? ['job'] : []);
    });

    test.each([false, true])('a stopped worker stays so until it registers; holding: %s', async (holding) => {
      const { workers, clock, workerId, beat, claim, status, held } = await worker();
      if (holding) await claim('job');
      expect(await workers.stop(report(workerId, 2))).toBe('applied');
      expect(await claim('other', 5)).toBe(false);
      expect(await beat(3)).toBe('applied');
      expect(await beat(4, false)).toBe('applied');
      expect(await workers.get(workerId)).toMatchObject({ condition: 'stopped', monitorSequence: 4 });
      await workers.register(registration({ workerId, ...newBoot(clock.iso(1)) }));
      expect(await status()).toBe(holding ? 'busy' : 'idle');
      expect(await held()).toEqual(holding ? ['job'] : []);
    });

    test('a worker that is not ready gives its job up and stays what it is', async () => {
      const { workers, workerId, claim } = await worker();
      await claim('job');
      await workers.stop(report(workerId, 2));
      expect(await workers.release(workerId, 'job', 1)).toEqual(assignment('job'));
      expect(await workers.get(workerId)).toMatchObject({ condition: 'stopped', held: [] });
    });

    test('lost once, and only if it has been silent since', async () => {
      const { workers, clock, workerId, beat, status } = await worker();
      clock.advance(61_000);
      await beat(2);
      expect(await workers.markLost(workerId, START)).toBe(false);
      expect(await workers.markLost(workerId, clock.iso())).toBe(true);
      expect(await workers.markLost(workerId, clock.iso())).toBe(false);
      expect(await status()).toBe('lost');
      expect(await workers.markLost(freshId(), START)).toBe(false);
      await beat(3);
      expect(await status()).toBe('idle');
    });
  });

  describe('what operators and the dispatcher say of it', () => {
    test('a draining worker takes nothing, keeps what it holds, and goes on when told', async () => {
      const { workers, workerId, claim, status, held } = await worker();
      await claim('job', 5);
      expect(await workers.setDraining(workerId, true)).toBe(true);
      expect(await status()).toBe('draining');
      expect(await claim('other', 5)).toBe(false);
      expect(await held()).toEqual(['job']);
      expect(await workers.setDraining(workerId, false)).toBe(true);
      expect(await status()).toBe('busy');
      expect(await claim('other', 5)).toBe(true);
    });

    test('neither heartbeats, silence, a goodbye nor a boot end draining; being told to does', async () => {
      const { workers, clock, workerId, beat, claim, status } = await worker();
      await workers.setDraining(workerId, true);
      for (const [sequence, available] of [[2, true] as const, [3, false] as const, [4, true] as const]) {
        expect(await beat(sequence, available)).toBe('applied');
        expect(await status()).toBe('draining');
      }
      await workers.register(registration({ workerId, sequence: 5 }));
      expect(await status()).toBe('draining');
      await workers.markLost(workerId, clock.iso());
      expect(await status()).toBe('lost');
      await beat(6);
      expect(await status()).toBe('draining');
      await workers.stop(report(workerId, 7));
      expect(await workers.register(registration({ workerId, ...newBoot(clock.iso(1)) }))).toBe('applied');
      expect(await status()).toBe('draining');
      expect(await claim('job', 5)).toBe(false);
      expect(await workers.setDraining(workerId, false)).toBe(true);
      expect(await status()).toBe('idle');
      expect(await claim('job', 5)).toBe(true);
    });

    test('one that is taken into service again while its monitor is away is so when it is back', async () => {
      const { workers, clock, workerId, status } = await worker();
      await workers.setDraining(workerId, true);
      await workers.stop(report(workerId, 2));
      await workers.setDraining(workerId, false);
      await workers.register(registration({ workerId, ...newBoot(clock.iso(1)) }));
      expect(await status()).toBe('idle');
    });

    test('a quarantined worker takes nothing until its monitor boots anew', async () => {
      const { workers, clock, workerId, beat, claim, status } = await worker();
      expect(await workers.quarantine(workerId, uuidOf(777))).toBe(false);
      expect(await status()).toBe('idle');
      const { bootId } = report(workerId, 0);
      expect(await workers.quarantine(workerId, bootId)).toBe(true);
      expect(await workers.quarantine(workerId, bootId)).toBe(true);
      expect(await workers.get(workerId)).toMatchObject({ condition: 'ready', quarantined: true });
      expect(await claim('job')).toBe(false);
      await beat(2);
      await workers.register(registration({ workerId, sequence: 3 }));
      expect(await status()).toBe('failed');
      await workers.register(registration({ workerId, ...newBoot(clock.iso(1)) }));
      expect(await status()).toBe('idle');
      expect(await workers.quarantine(workerId, bootId)).toBe(false);
      expect(await claim('job')).toBe(true);
    });

    test('avoiding is forgotten with a registration', async () => {
      const { workers, clock, workerId } = await worker();
      await workers.avoid(workerId, clock.iso(30_000));
      expect((await workers.get(workerId))?.avoidUntil).toBe(clock.iso(30_000));
      await workers.register(registration({ workerId, sequence: 2 }));
      expect((await workers.get(workerId))?.avoidUntil).toBeNull();
    });

    test('nothing that is said of a worker makes one', async () => {
      const { workers } = setUp();
      const nobody = freshId();
      await workers.avoid(nobody, START);
      await workers.setCatalogue(nobody, 'hash');
      expect(await workers.setDraining(nobody, true)).toBe(false);
      expect(await workers.quarantine(nobody, uuidOf(1))).toBe(false);
      expect(await workers.get(nobody)).toBeUndefined();
    });
  });
});
