import { expect, test } from '@jest/globals';
import { availableParallelism } from 'node:os';
import type { FunctionDefinition } from './function-definition.ts';
import { ThreadPool, type PooledThread } from './thread-pool.ts';

/** A pool whose threads are objects that count; they load as `loading` does. */
const setUp = (cap: number, loading: () => Promise<void> = () => Promise.resolve()) => {
  const started: string[] = [];
  const stopped: string[] = [];
  const pool = new ThreadPool<PooledThread>(cap, ({ name }) => {
    started.push(name);
    return { functionName: name, usable: true, loaded: loading(), stop: async () => void stopped.push(name) };
  });
  const acquire = (name: string): Promise<PooledThread> => pool.acquire({ name } as FunctionDefinition);
  /** One call of that function, done at once. */
  const call = async (name: string): Promise<string> => {
    const thread = await acquire(name);
    await new Promise((resolve) => setImmediate(resolve));
    pool.release(thread);
    return thread.functionName;
  };
  return { pool, started, stopped, acquire, call };
};

test('more functions than threads do not make the threads replace each other at every call', async () => {
  const { pool, started, call } = setUp(2);
  const calls = Array.from({ length: 60 }, (_, index) => `function-${index % 3}`);
  expect(await Promise.all(calls.map(call))).toEqual(calls);
  expect(started).toHaveLength(3);
  await pool.close();
});

test('a function without a thread has its turn although the others never stop calling', async () => {
  const { pool, acquire, call } = setUp(1);
  const ended = new AbortController();
  const others = async (): Promise<void> => {
    while (!ended.signal.aborted) await call('busy');
  };
  const callers = [others(), others()];
  const rare = await acquire('rare');
  expect(rare.functionName).toBe('rare');
  pool.release(rare);
  ended.abort();
  await Promise.all(callers);
  await pool.close();
});

test('a thread that is idle makes room at the cap for a function that has one already, when it is idle for long', async () => {
  const { pool, started, stopped, acquire, call } = setUp(2);
  await call('spare');
  const first = await acquire('wanted');
  const second = await acquire('wanted');
  expect(started).toEqual(['spare', 'wanted', 'wanted']);
  expect(stopped).toEqual(['spare']);
  for (const thread of [first, second]) pool.release(thread);
  await pool.close();
});

test('whoever waits when the pool closes is told', async () => {
  const { pool, acquire } = setUp(1);
  await acquire('a');
  const waiting = acquire('b');
  await pool.close();
  await expect(waiting).rejects.toThrow('closing');
  await expect(acquire('a')).rejects.toThrow('closed');
});

test('no more threads load at once than there are processors, and the others have their turn', async () => {
  let loading = 0;
  let most = 0;
  const { pool, started, call } = setUp(32, async () => {
    most = Math.max(most, (loading += 1));
    await new Promise((resolve) => setTimeout(resolve, 2));
    loading -= 1;
  });
  const functions = Array.from({ length: 4 * availableParallelism() }, (_, index) => `function-${index}`);
  expect(await Promise.all(functions.map(call))).toEqual(functions);
  expect(started.sort()).toEqual([...functions].sort());
  expect(most).toBe(availableParallelism());
  await pool.close();
});
