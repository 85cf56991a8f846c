/** What holds for the stored callbacks must hold for the fakes. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Callback, CallbackStore } from '../../core/callbacks/callback.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { createFakeCallbackStore } from './callback-store.fake.ts';
import { createCallbackStore } from './callback-store.ts';

let dynalite: TestTable;
beforeAll(async () => {
  dynalite = await startTable();
});
afterAll(() => dynalite.stop());

const clock = createFakeClock();
let serial = 0;
const fresh = (what: string): string => `${what}-${(serial += 1)}`;
const makeCallback = (overrides: Partial<Callback> = {}): Callback => ({
  jobId: fresh('job'),
  userId: 'user-1',
  callbackId: fresh('msg'),
  event: 'task.completed',
  url: 'https://hooks.example/ünï',
  status: 'pending',
  attempts: [],
  tries: 0,
  nextAttemptAt: clock.iso(),
  inFlight: false,
  ...overrides,
});
const attempt = { at: clock.iso(), statusCode: null, error: 'no answer within 15 s', durationMs: 15_000 };

const stores: readonly [string, () => CallbackStore][] = [
  ['in memory', createFakeCallbackStore],
  ['in the table', () => createCallbackStore({ table: dynalite.table, clock })],
];

describe.each(stores)('callbacks %s', (_where, make) => {
  test('are read as they were made, and made once', async () => {
    const store = make();
    const callback = makeCallback({ attempts: [attempt] });
    expect(await store.create(callback)).toBe('created');
    expect(await store.create({ ...callback, status: 'failed' })).toBe('exists');
    expect(await store.get(callback.jobId, callback.callbackId)).toEqual(callback);
    expect(await store.list(callback.jobId)).toEqual([callback]);
    expect(await store.list(fresh('job'))).toEqual([]);
    expect(await store.get(callback.jobId, 'another')).toBeUndefined();
  });

  test('change for whoever read them last, and for nobody else', async () => {
    const store = make();
    const read = makeCallback();
    await store.create(read);
    const claims = Array.from({ length: 20 }, (_, n) =>
      store.replace(read, { ...read, nextAttemptAt: clock.iso(60_000 + n) }),
    );
    expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
  });

  test('are due in the order of their time, while they are pending', async () => {
    const store = make();
    const early = clock.iso(-3_600_000);
    const [late, soon, done, later] = [
      makeCallback({ nextAttemptAt: clock.iso(-3_590_000) }),
      makeCallback({ nextAttemptAt: early }),
      makeCallback({ nextAttemptAt: early }),
      makeCallback({ nextAttemptAt: clock.iso(-1) }),
    ];
    for (const callback of [late, soon, done, later]) await store.create(callback);
    await store.replace(done, { ...done, status: 'delivered', nextAttemptAt: null });
    const key = ({ jobId, callbackId }: Callback) => ({ jobId, callbackId });
    expect(await store.due(clock.iso(-3_580_000), 10)).toEqual([key(soon), key(late)]);
    expect(await store.due(clock.iso(-3_580_000), 1)).toEqual([key(soon)]);
  });

  test('that ended can begin anew', async () => {
    const store = make();
    const callback = makeCallback({ status: 'failed', nextAttemptAt: null });
    await store.create(callback);
    const anew = { ...callback, status: 'pending' as const, nextAttemptAt: clock.iso() };
    expect(await store.replace(callback, anew)).toBe(true);
    expect(await store.get(callback.jobId, callback.callbackId)).toEqual(anew);
  });
});

describe.each(stores)('secrets %s', (_where, make) => {
  test('are made once, a user', async () => {
    const store = make();
    const [one, two] = [fresh('user'), fresh('user')];
    const [first] = await Promise.all([store.secrets(one, 'a'), store.secrets(one, 'b')]);
    expect(await store.secrets(one, 'c')).toEqual(first);
    expect(await store.secrets(two, 'd')).toEqual({ current: 'd', previous: null });
  });

  test('are rotated: the one before stays for a while', async () => {
    const store = make();
    const user = fresh('user');
    await store.secrets(user, 'old');
    const rotated = { current: 'new', previous: { secret: 'old', until: clock.iso(1000) } };
    expect(await store.rotate(user, 'new', clock.iso(1000))).toEqual(rotated);
    expect(await store.secrets(user, 'unused')).toEqual(rotated);
    expect(await store.rotate(fresh('user'), 'first', clock.iso())).toEqual({
      current: 'first',
      previous: null,
    });
  });
});
