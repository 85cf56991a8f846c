import { describe, expect, test } from '@jest/globals';
import {
  MAX_CLIENT_MESSAGE_BYTES,
  MAX_SUBSCRIPTIONS_PER_CONNECTION,
  type PushMessage,
} from '../../../shared-types/index.ts';
import { createFakeTable } from '../../adapters/dynamodb/fake-table.ts';
import { createFakeTicketStore } from '../../adapters/dynamodb/ticket-store.fake.ts';
import { createFakePusher } from '../../adapters/web-socket/pusher.fake.ts';
import { createConnectHandler } from '../../connect/connect.ts';
import { createDisconnectHandler } from '../../disconnect/disconnect.ts';
import { createSubscribeHandler } from '../../subscribe/subscribe.ts';
import { issueTicket } from '../identity/issue.ts';
import { entryOf } from '../queue-entry.ts';
import { createFakeClock } from '../test-support/fake-clock.ts';
import { createSilentLogger, JOB_ID, makeAssignedJob, makeJob, uuidOf } from '../test-support/fixtures.ts';

const CONNECTION = 'L0SM9cOFvHcCIhw=';
const request = (jobId: unknown = JOB_ID): string => JSON.stringify({ action: 'subscribe', jobId });

const setUp = async () => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  const tickets = createFakeTicketStore();
  const pusher = createFakePusher();
  const logger = createSilentLogger();
  const dependencies = { ...table, tickets, clock, openAccess: false, pusher, logger };
  await table.jobs.create(makeJob());
  const requestContext = { connectionId: CONNECTION };
  const secrets = { bytes: () => new Uint8Array(32) };
  const { ticket } = await issueTicket('user-1', { tickets, clock, secrets });
  await createConnectHandler(dependencies)({ requestContext, queryStringParameters: { ticket } });
  const subscribe = createSubscribeHandler(dependencies);
  const disconnect = createDisconnectHandler(dependencies);
  return {
    table,
    pusher,
    logger,
    send: (body: string | undefined) => subscribe({ requestContext, body }),
    disconnect: () => disconnect({ requestContext }),
    sent: (): PushMessage[] => pusher.sent.map(({ message }) => message),
    job: () => table.allJobs().find(({ jobId }) => jobId === JOB_ID)!,
  };
};

describe('leaving a job', () => {
  const leave = (jobId: unknown = JOB_ID): string => JSON.stringify({ action: 'unsubscribe', jobId });

  test('ends its pushes and frees its place; twice is no more', async () => {
    const world = await setUp();
    await world.send(JSON.stringify({ action: 'subscribe', jobId: JOB_ID, previews: true }));
    await world.send(leave());
    await world.send(leave());
    expect(world.job()).toMatchObject({ connections: [], previewConnections: [] });
    expect((await world.table.connections.get(CONNECTION))?.jobIds).toEqual([]);
    expect(world.sent()).toHaveLength(1);
  });

  test('that was never followed changes nothing', async () => {
    const world = await setUp();
    await world.table.subscriptions.subscribe(JOB_ID, 'user-1', 'another');
    await world.send(leave());
    expect(world.job().connections).toEqual(['another']);
  });

  test('needs an id', async () => {
    const world = await setUp();
    for (const jobId of [null, 'x', ['a'], { a: 1 }]) await world.send(leave(jobId));
    expect(world.sent().map(({ type }) => type)).toEqual(['error', 'error', 'error', 'error']);
  });
});

test('a ping is answered, whatever the connection follows', async () => {
  const world = await setUp();
  await world.send('{"action":"ping","extra":1}');
  expect(world.sent()).toEqual([{ type: 'pong' }]);
});

describe('following a job', () => {
  test('the snapshot comes first, and only then does the job know its follower', async () => {
    const world = await setUp();
    expect(await world.send(request())).toEqual({ statusCode: 200 });
    expect(world.sent()).toMatchObject([
      { type: 'job_snapshot', jobId: JOB_ID, status: 'pending', sequence: 1 },
    ]);
    expect(world.job().connections).toEqual([CONNECTION]);
    const calls = world.table.faults.calls;
    expect(calls.indexOf('subscriptions.subscribe')).toBe(calls.length - 1);
  });

  test('a snapshot tells where a waiting job stands, and what the nodes of a running one did', async () => {
    const world = await setUp();
    await world.table.queue.put(entryOf(world.job()));
    await world.send(request());
    expect(world.sent()[0]).toMatchObject({ queuePosition: 1, nodes: [], eta: null });
    const running = uuidOf(7);
    await world.table.jobs.create(makeAssignedJob({ jobId: running, attempt: 2 }));
    const node = { nodeId: '3', nodeName: 'K-Sampler', nodeType: 'KSampler' };
    const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 22, 10, 0, seconds)).toISOString();
    await world.table.timeline.append(running, 1, 1, [{ ...node, state: 'executing', at: at(1) }]);
    await world.table.timeline.append(running, 2, 2, [
      { ...node, state: 'executed', at: at(9), durationMs: 4000 },
      { ...node, nodeId: '4', state: 'executed', at: at(4), cached: true },
    ]);
    await world.table.timeline.append(running, 2, 1, [{ ...node, state: 'executing', at: at(5) }]);
    await world.send(request(running));
    expect(world.sent()[1]).toMatchObject({
      queuePosition: null,
      nodes: [
        { nodeId: '4', state: 'cached', durationMs: null },
        { nodeId: '3', state: 'executed', durationMs: 4000, at: at(9) },
      ],
    });
  });

  test('what cannot be read of its nodes keeps nobody from following', async () => {
    const world = await setUp();
    await world.table.jobs.create(makeAssignedJob({ jobId: uuidOf(7) }));
    world.table.fail('timeline', 'list', 1);
    await world.send(request(uuidOf(7)));
    expect(world.sent()).toMatchObject([{ type: 'job_snapshot', nodes: [], eta: null }]);
    expect(world.logger.lines).toMatchObject([{ code: 'subscribe.no-details' }]);
  });

  test('pictures while sampling go to whoever asks for them', async () => {
    const world = await setUp();
    await world.send(request());
    expect(world.job().previewConnections).toEqual([]);
    await world.send(JSON.stringify({ action: 'subscribe', jobId: JOB_ID, previews: true }));
    expect(world.job()).toMatchObject({ connections: [CONNECTION], previewConnections: [CONNECTION] });
  });

  test('a change between snapshot and subscription is told by a second snapshot', async () => {
    const world = await setUp();
    const send = world.pusher.send.bind(world.pusher);
    let changed = false;
    world.pusher.send = async (...message) => {
      const answer = await send(...message);
      if (!changed) {
        changed = true;
        await world.table.jobs.update({
          guard: { jobId: JOB_ID, statuses: ['pending'] },
          patch: { status: 'assigned' },
        });
      }
      return answer;
    };
    await world.send(request());
    expect(world.sent()).toMatchObject([
      { type: 'job_snapshot', sequence: 1, status: 'pending' },
      { type: 'job_snapshot', sequence: 2, status: 'assigned' },
    ]);
  });

  test('a completed job is shown with its outputs, a failed one with its error', async () => {
    const world = await setUp();
    const [completed, failed] = [uuidOf(1), uuidOf(2)];
    const output = {
      outputId: uuidOf(9),
      nodeId: '9',
      outputKey: 'images',
      index: 0,
      kind: 'image' as const,
      src: 'https://media.example/9.png',
      mimeType: 'image/png',
      size: 3,
      filename: 'a.png',
    };
    await world.table.jobs.create(makeAssignedJob({ jobId: completed, status: 'completed' }));
    await world.table.outputs.put(completed, 1, { outputs: [output], missingOutputs: [] });
    const failure = { reason: 'nodeError' as const, message: 'no such model' };
    await world.table.jobs.create(makeAssignedJob({ jobId: failed, status: 'failed', failure }));
    await world.send(request(completed));
    await world.send(request(failed));
    expect(world.sent()).toMatchObject([
      { status: 'completed', outputs: [output], error: null },
      { status: 'failed', outputs: [], error: 'no such model' },
    ]);
  });

  test('asking again gives a new snapshot and no second subscription', async () => {
    const world = await setUp();
    await world.send(request());
    await world.send(request());
    expect(world.sent()).toHaveLength(2);
    expect(world.job().connections).toEqual([CONNECTION]);
  });
});

describe('what is refused says why, and follows nothing', () => {
  test("another user's job is as unknown as one that never was", async () => {
    const world = await setUp();
    const [other, never] = [uuidOf(5), uuidOf(6)];
    await world.table.jobs.create(makeJob({ jobId: other, userId: 'user-2' }));
    await world.send(request(other));
    await world.send(request(never));
    const [first, second] = world.sent();
    expect(first).toMatchObject({ type: 'error', code: 'notFound', jobId: other });
    expect({ ...first, jobId: never }).toEqual(second);
    expect(world.table.allJobs().every(({ connections }) => connections.length === 0)).toBe(true);
  });

  test(`one connection follows ${MAX_SUBSCRIPTIONS_PER_CONNECTION} jobs and no more`, async () => {
    const world = await setUp();
    for (let n = 0; n <= MAX_SUBSCRIPTIONS_PER_CONNECTION; n += 1) {
      await world.table.jobs.create(makeJob({ jobId: uuidOf(n) }));
      await world.send(request(uuidOf(n)));
    }
    expect(world.sent().filter(({ type }) => type === 'job_snapshot')).toHaveLength(
      MAX_SUBSCRIPTIONS_PER_CONNECTION,
    );
    expect(world.sent().at(-1)).toMatchObject({ type: 'error', code: 'tooManySubscriptions' });
    await world.send(request(uuidOf(0)));
    expect(world.sent().at(-1)).toMatchObject({ type: 'job_snapshot', jobId: uuidOf(0) });
  });

  test.each<[string, string | undefined]>([
    ['nothing', undefined],
    ['an empty message', ''],
    ['no JSON', '{'],
    ['null', 'null'],
    ['a list', '[]'],
    ['another action', JSON.stringify({ action: 'publish', jobId: JOB_ID })],
    ['a wildcard', request('*')],
    ['a list of jobs', request([JOB_ID])],
    ['an object', request({ ne: 1 })],
    ['no job', request(null)],
    ['a prototype member', '{"action":"subscribe","jobId":"__proto__"}'],
    ['a prototype', '{"__proto__":{"action":"subscribe"},"jobId":"x"}'],
    ['more than 32 KB', JSON.stringify({ action: 'subscribe', jobId: JOB_ID, pad: 'ü'.repeat(16_400) })],
  ])('%s', async (_what, body) => {
    const world = await setUp();
    expect(await world.send(body)).toEqual({ statusCode: 200 });
    expect(world.sent()).toMatchObject([{ type: 'error', code: 'badRequest' }]);
    expect(world.job().connections).toEqual([]);
  });

  test('a message of exactly 32 KB is read', async () => {
    const world = await setUp();
    const empty = JSON.stringify({ action: 'subscribe', jobId: JOB_ID, pad: '' });
    const pad = 'x'.repeat(MAX_CLIENT_MESSAGE_BYTES - empty.length);
    await world.send(JSON.stringify({ action: 'subscribe', jobId: JOB_ID, pad }));
    expect(world.sent()).toMatchObject([{ type: 'job_snapshot' }]);
  });
});

describe('connections that are gone', () => {
  test('before the message arrived: nothing is sent, nothing is followed', async () => {
    const world = await setUp();
    await world.disconnect();
    await world.send(request());
    expect(world.sent()).toEqual([]);
    expect(world.job().connections).toEqual([]);
  });

  test('when the snapshot is sent: the job does not get a dead follower', async () => {
    const world = await setUp();
    world.pusher.gone.add(CONNECTION);
    expect(await world.send(request())).toEqual({ statusCode: 200 });
    expect(world.job().connections).toEqual([]);
  });

  test('closing takes the connection from every job, and twice is no error', async () => {
    const world = await setUp();
    await world.send(request());
    expect(await world.disconnect()).toEqual({ statusCode: 200 });
    expect(await world.disconnect()).toEqual({ statusCode: 200 });
    expect(world.job().connections).toEqual([]);
    expect(await world.table.connections.get(CONNECTION)).toBeUndefined();
  });

  test('a browser that cannot be reached is a failure of the request, said once in the log', async () => {
    const world = await setUp();
    world.pusher.broken.add(CONNECTION);
    expect(await world.send(request())).toEqual({ statusCode: 500 });
    expect(world.logger.lines).toMatchObject([{ code: 'socket.failed' }]);
    expect(world.job().connections).toEqual([]);
  });
});
