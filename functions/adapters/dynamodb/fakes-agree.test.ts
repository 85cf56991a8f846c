/** Whatever is done, in whatever order, the registry and the shares answer in memory as they do on the table. */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { FakeClock } from '../../core/test-support/fake-clock.ts';
import { CLIENT_ID, uuidOf } from '../../core/test-support/fixtures.ts';
import { emptyShare } from './share-release.ts';
import { type Stores, useStores } from '../test-support/contract-stores.ts';

const { setUpKind, freshId } = useStores();

type World = Stores & { readonly clock: FakeClock };
/** One call, for the worker or the user of that id; what it answers must be the same on both. */
type Step = (world: World, id: string) => Promise<unknown>;

const RUNS = { numRuns: 9, seed: 20_261_122 };
const small = (max: number) => fc.integer({ min: 1, max });
const jobs = fc.constantFrom('a', 'b', 'c');

/** The same steps on both, one after the other, and what is stored after each. */
const agree = async (
  steps: readonly (readonly [string, Step])[],
  stored: (world: World, id: string) => Promise<unknown>,
): Promise<void> => {
  const [memory, real, id] = [setUpKind('in memory'), setUpKind('on DynamoDB'), freshId()];
  for (const [name, step] of steps) {
    const run = async (world: World): Promise<unknown> => {
      world.clock.advance(1000);
      return [name, await step(world, id), await stored(world, id)];
    };
    expect(await run(real)).toEqual(await run(memory));
  }
};

const named = (name: string, step: Step): readonly [string, Step] => [name, step];

const reports = fc.record({ boot: small(3), sequence: small(6), seconds: small(8), available: fc.boolean() });
type Reported = { boot: number; sequence: number; seconds: number; available: boolean };
const reportOf = (id: string, { boot, sequence, seconds }: Reported) => ({
  workerId: id,
  clientId: CLIENT_ID,
  bootId: uuidOf(boot),
  sequence,
  timestamp: new Date(Date.parse('2026-11-22T10:00:00.000Z') + seconds * 1000).toISOString(),
});

const workerStep = fc.oneof(
  reports.map((each) =>
    named('register', (world, id) =>
      world.workers.register({
        ...reportOf(id, each),
        endpoint: `http://10.0.0.${each.boot}:8188`,
        comfyuiVersion: null,
        tags: each.available ? ['b', 'a'] : [],
      }),
    ),
  ),
  reports.map((each) =>
    named('heartbeat', (world, id) =>
      world.workers.heartbeat({ ...reportOf(id, each), available: each.available }),
    ),
  ),
  reports.map((each) => named('stop', (world, id) => world.workers.stop(reportOf(id, each)))),
  fc
    .tuple(jobs, small(2), small(3))
    .map(([jobId, attempt, depth]) =>
      named('claim', ({ workers, clock }, id) =>
        workers.claim(id, { jobId, attempt, userId: 'u', assignedAt: clock.iso() }, depth),
      ),
    ),
  fc
    .tuple(jobs, small(2))
    .map(([jobId, attempt]) => named('release', ({ workers }, id) => workers.release(id, jobId, attempt))),
  fc.boolean().map((wish) => named('drain', ({ workers }, id) => workers.setDraining(id, wish))),
  small(3).map((boot) => named('quarantine', ({ workers }, id) => workers.quarantine(id, uuidOf(boot)))),
  fc.constant(named('avoid', ({ workers, clock }, id) => workers.avoid(id, clock.iso(9000)))),
  fc.constant(
    named('markLost', async ({ workers }, id) =>
      workers.markLost(id, (await workers.get(id))?.lastSeenAt ?? ''),
    ),
  ),
);

test('workers', async () => {
  const first = fc.constant(
    named('first', (world, id) =>
      world.workers.register({
        ...reportOf(id, { boot: 1, sequence: 1, seconds: 1, available: true }),
        endpoint: 'http://10.0.0.1:8188',
        comfyuiVersion: null,
        tags: [],
      }),
    ),
  );
  const steps = fc.tuple(first, fc.array(workerStep, { minLength: 5, maxLength: 25 }));
  await fc.assert(
    fc.asyncProperty(steps, ([one, rest]) => agree([one, ...rest], ({ workers }, id) => workers.get(id))),
    RUNS,
  );
}, 60_000);

const stampOf = async ({ shares }: World, id: string): Promise<string> =>
  (await shares.get(id))?.waitingStamp ?? 'none';

const shareStep = fc.oneof(
  fc.tuple(jobs, small(2), small(3), small(5), fc.boolean()).map(([jobId, attempt, cap, cost, stale]) =>
    named('claim', async ({ shares }, id) => {
      const share = (await shares.get(id)) ?? emptyShare(id);
      const startMs = share.finishMs + 3;
      const seen = stale ? { ...share, finishMs: share.finishMs - 1 } : share;
      return shares.claim(seen, { jobId, attempt, chargedMs: cost * 100, startMs, cap });
    }),
  ),
  fc
    .tuple(jobs, small(2), fc.constantFrom(null, 0, 40, 900))
    .map(([jobId, attempt, actualMs]) =>
      named('release', ({ shares }, id) => shares.release(id, jobId, attempt, actualMs)),
    ),
  fc.boolean().map((wish) => named('pause', ({ shares }, id) => shares.setPaused(id, wish))),
  fc.tuple(jobs, small(10)).map(([jobId, priority]) =>
    named('put', ({ queue, clock }, userId) =>
      queue.put({
        jobId,
        userId,
        priority,
        queuedAt: clock.iso(),
        notBefore: null,
        needs: { classes: [], models: [], tags: [] },
      }),
    ),
  ),
  fc.constant(named('settle', async (world, id) => world.shares.settleEmpty(id, await stampOf(world, id)))),
  fc.constant(
    named('remove', async ({ queue }, id) => {
      const [head] = await queue.list(id, 1);
      if (head !== undefined) await queue.remove(head);
      return head;
    }),
  ),
);

test('shares and queues', async () => {
  const stored = async (world: World, id: string): Promise<unknown> => {
    const share = await world.shares.get(id);
    // Marks are unique, not equal.
    const marked = share && { ...share, waitingStamp: share.waitingStamp === null ? null : 'marked' };
    return [marked, await world.queue.list(id, 3), await world.queue.count(id, 2)];
  };
  await fc.assert(
    fc.asyncProperty(fc.array(shareStep, { minLength: 5, maxLength: 25 }), (steps) => agree(steps, stored)),
    RUNS,
  );
}, 60_000);
