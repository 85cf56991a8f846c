import { describe, expect, test } from '@jest/globals';
import { createFakeCallbackStore } from '../../adapters/dynamodb/callback-store.fake.ts';
import { createFakeTable } from '../../adapters/dynamodb/fake-table.ts';
import type { Job } from '../job.ts';
import { createFakeClock } from '../test-support/fake-clock.ts';
import { createFaults } from '../test-support/faults.ts';
import { createSilentLogger, JOB_ID, makeJob } from '../test-support/fixtures.ts';
import type { CallbackAnswer } from './callback.ts';
import { deliverDue, onTaskEnded, redeliver } from './deliver-callback.ts';
import { signatureOf } from './standard-webhooks.ts';

const URL = 'https://hooks.example/end';
const MINUTE = 60_000;

interface Call {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const setUp = async (overrides: Partial<Job> = {}) => {
  const clock = createFakeClock();
  const faults = createFaults();
  const table = createFakeTable(clock, faults);
  const ended = { status: 'completed', attempt: 1, completedAt: clock.iso(), callbackUrl: URL } as const;
  const job = makeJob({ ...ended, ...overrides });
  await table.jobs.create(job);
  const calls: Call[] = [];
  const answers: CallbackAnswer[] = [];
  const callbacks = createFakeCallbackStore();
  const deps = {
    jobs: table.jobs,
    outputs: table.outputs,
    callbacks: faults.wrap('callbacks', callbacks),
    sender: {
      post: async (url: string, headers: Call['headers'], body: string): Promise<CallbackAnswer> => {
        calls.push({ url, headers, body });
        return answers.shift() ?? { kind: 'answered', statusCode: 200 };
      },
    },
    clock,
    random: () => 0,
    secretBytes: () => new Uint8Array(32).fill(calls.length + 1),
    logger: createSilentLogger(),
  };
  const stored = async () => (await callbacks.list(JOB_ID))[0];
  const fails = (times: number, statusCode = 503): void => {
    for (let n = 0; n < times; n += 1) answers.push({ kind: 'answered', statusCode });
  };
  return { clock, table, faults, deps, calls, answers, job, stored, fails };
};

describe('the end of a task', () => {
  test.each([
    ['completed', 'task.completed'],
    ['failed', 'task.failed'],
    ['cancelled', 'task.cancelled'],
  ] as const)('%s is told as %s, signed with the secret that the API shows', async (status, type) => {
    const { deps, calls, stored } = await setUp({ status });
    await onTaskEnded(JOB_ID, deps);
    const [call] = calls;
    expect(call!.url).toBe(URL);
    expect(JSON.parse(call!.body)).toMatchObject({ type, data: { id: JOB_ID, status } });
    const { current } = await deps.callbacks.secrets('user-1', 'whsec_unused');
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = call!.headers;
    expect(signature).toBe(signatureOf(current, id!, Number(at), call!.body));
    expect(await stored()).toMatchObject({
      status: 'delivered',
      nextAttemptAt: null,
      attempts: [{ statusCode: 200 }],
    });
  });

  test('twice on the bus is once at the receiver', async () => {
    const { deps, calls } = await setUp();
    await onTaskEnded(JOB_ID, deps);
    await onTaskEnded(JOB_ID, deps);
    expect(calls).toHaveLength(1);
  });

  test.each([
    ['without a callback_url', { callbackUrl: null }],
    ['that has not ended after all', { status: 'running' }],
  ] as const)('of a task %s calls nobody', async (_what, job) => {
    const { deps, calls, stored } = await setUp(job);
    await onTaskEnded(JOB_ID, deps);
    expect(calls).toEqual([]);
    expect(await stored()).toBeUndefined();
  });
});

describe('a receiver that fails', () => {
  test('is called again by schedule, with the same id and body, until it takes it', async () => {
    const { deps, calls, clock, fails, stored } = await setUp();
    fails(3);
    await onTaskEnded(JOB_ID, deps);
    for (const minutes of [1, 5, 30]) {
      clock.advance(minutes * MINUTE - 1000);
      await deliverDue(deps);
      const before = calls.length;
      clock.advance(1000);
      await deliverDue(deps);
      expect(calls.length).toBe(before + 1);
    }
    expect(new Set(calls.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
    expect(await stored()).toMatchObject({ status: 'delivered', tries: 4 });
    expect((await stored())!.attempts.map(({ statusCode }) => statusCode)).toEqual([503, 503, 503, 200]);
  });

  test('for good is given up after hours, and the log says why', async () => {
    const { deps, calls, clock, fails, stored } = await setUp();
    fails(100, 500);
    await onTaskEnded(JOB_ID, deps);
    const start = clock.now();
    for (let n = 0; n < 100 && (await stored())!.status === 'pending'; n += 1) {
      clock.advance(Date.parse((await stored())!.nextAttemptAt!) - clock.now());
      await deliverDue(deps);
    }
    expect(calls).toHaveLength(7);
    expect((clock.now() - start) / 3_600_000).toBeGreaterThan(17);
    expect(await stored()).toMatchObject({ status: 'failed', nextAttemptAt: null });
    expect((await stored())!.attempts.at(-1)).toMatchObject({ error: 'answered 500' });
    expect(await deliverDue(deps)).toBe(0);
  });

  test('with 410 is not called again', async () => {
    const { deps, fails, stored } = await setUp();
    fails(1, 410);
    await onTaskEnded(JOB_ID, deps);
    expect(await stored()).toMatchObject({ status: 'failed', nextAttemptAt: null });
  });

  test('with a redirect is not followed, and told so', async () => {
    const { deps, fails, stored, calls } = await setUp();
    fails(1, 302);
    await onTaskEnded(JOB_ID, deps);
    expect(calls).toHaveLength(1);
    expect((await stored())!.attempts[0]!.error).toMatch(/redirects are not followed/);
  });

  test('without an answer leaves one line in the log', async () => {
    const { deps, answers, stored } = await setUp();
    answers.push({ kind: 'failed', message: 'no answer within 15 s' });
    await onTaskEnded(JOB_ID, deps);
    expect((await stored())!.attempts).toMatchObject([{ statusCode: null, error: 'no answer within 15 s' }]);
  });
});

describe('two senders', () => {
  test('of one callback make one attempt', async () => {
    const { deps, calls, clock, fails } = await setUp();
    fails(1);
    await onTaskEnded(JOB_ID, deps);
    clock.advance(MINUTE);
    await Promise.all([deliverDue(deps), deliverDue(deps), deliverDue(deps)]);
    expect(calls).toHaveLength(2);
  });

  test('a crash between the call and its record is made good a minute later, with the same id', async () => {
    const { deps, calls, clock, faults, stored } = await setUp();
    faults.fail('callbacks', 'replace', 1, 'after');
    await expect(onTaskEnded(JOB_ID, deps)).rejects.toThrow('callbacks.replace');
    expect(calls).toHaveLength(0);
    clock.advance(MINUTE);
    await deliverDue(deps);
    expect(calls).toHaveLength(1);
    expect(await stored()).toMatchObject({ status: 'delivered' });
  });
});

describe('once more, by wish', () => {
  test('while an attempt is under way nothing else is sent, and its record stays', async () => {
    const { deps, calls, job, stored } = await setUp();
    const post = deps.sender.post;
    let wishes = 0;
    deps.sender.post = async (...call) => {
      if (wishes === 0) {
        wishes += 1;
        expect(await redeliver(job, deps)).toBe('made');
      }
      return post(...call);
    };
    await onTaskEnded(JOB_ID, deps);
    expect(calls).toHaveLength(1);
    expect(await stored()).toMatchObject({ status: 'delivered', attempts: [{ statusCode: 200 }] });
  });

  test('a delivered callback is delivered again and keeps its log', async () => {
    const { deps, calls, job, stored } = await setUp();
    await onTaskEnded(JOB_ID, deps);
    expect(await redeliver(job, deps)).toBe('made');
    expect(calls).toHaveLength(2);
    expect((await stored())!.attempts).toHaveLength(2);
  });

  test('a callback that was given up begins its schedule anew', async () => {
    const { deps, job, fails, stored } = await setUp();
    fails(1, 410);
    await onTaskEnded(JOB_ID, deps);
    fails(1);
    await redeliver(job, deps);
    expect(await stored()).toMatchObject({ status: 'pending', tries: 1 });
  });

  test('there is nothing to deliver without a URL, or before the end', async () => {
    const { deps, job } = await setUp();
    expect(await redeliver({ ...job, callbackUrl: null }, deps)).toBe('noCallback');
    expect(await redeliver({ ...job, status: 'running' }, deps)).toBe('notEnded');
  });
});

test('for a day after a rotation both secrets sign', async () => {
  const { deps, calls, clock, job } = await setUp();
  await onTaskEnded(JOB_ID, deps);
  const until = clock.iso(24 * 60 * MINUTE);
  await deps.callbacks.rotate('user-1', 'whsec_bmV3', until);
  await redeliver(job, deps);
  expect(calls[1]!.headers['webhook-signature']!.split(' ')).toHaveLength(2);
  clock.advance(24 * 60 * MINUTE + 1);
  await redeliver(job, deps);
  expect(calls[2]!.headers['webhook-signature']!.split(' ')).toHaveLength(1);
});

test('a body stays small, however many outputs there are', async () => {
  const { deps, calls, table } = await setUp();
  const output = {
    outputId: '00000000-0000-4000-8000-000000000001',
    nodeId: '9',
    outputKey: 'images',
    index: 0,
    kind: 'image' as const,
    src: `https://cdn.example/${'x'.repeat(400)}.png`,
    mimeType: 'image/png',
    size: 1,
    filename: 'x.png',
  };
  await table.outputs.put(JOB_ID, 1, {
    outputs: Array.from({ length: 500 }, () => output),
    missingOutputs: [],
  });
  await onTaskEnded(JOB_ID, deps);
  const { data } = JSON.parse(calls[0]!.body) as {
    data: { result: { outputs: unknown[]; outputs_truncated: boolean } };
  };
  expect(data.result.outputs).toHaveLength(100);
  expect(data.result.outputs_truncated).toBe(true);
  expect(Buffer.byteLength(calls[0]!.body)).toBeLessThan(256 * 1024);
});
