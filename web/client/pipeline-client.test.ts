import { execFile } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { MAX_SUBSCRIPTIONS_PER_CONNECTION } from '../../shared-types/index.ts';
import { pushExamples } from '../../shared-types/push-examples.ts';
import { JOB_ID, pushOf, snapshotOf, taskOf, taskOutput } from '../test-support/job-pushes.ts';
import { startPushServer, type PushServer } from '../test-support/push-server.ts';
import { until } from '../test-support/until.ts';
import type { PipelineClient, PipelineClientOptions } from './client-contract.ts';
import type { JobState } from './job-model.ts';
import { ticketsFrom } from './tickets.ts';
import { createPipelineClient } from './pipeline-client.ts';

/** On a busy machine a handshake takes long: only tests about polling may poll. */
const FAST = { reconnectBaseMs: 2, reconnectCapMs: 10, tickMs: 2, pollIntervalMs: 2, pollAfterMs: 600_000 };
const POLLING = { ...FAST, pollAfterMs: 5 };

let server: PushServer;
let clients: PipelineClient[] = [];

beforeEach(async () => {
  server = await startPushServer();
  server.onSubscribe = (jobId) => [snapshotOf({ jobId })];
});
afterEach(async () => {
  for (const client of clients) client.close();
  clients = [];
  await server.close();
});

const newClient = (options: Partial<PipelineClientOptions> = {}): PipelineClient => {
  const { apiUrl, webSocketUrl } = server;
  const client = createPipelineClient({ apiUrl, webSocketUrl, WebSocket, timing: FAST, ...options });
  clients.push(client);
  return client;
};

/** Follows the job and keeps every state that was told. */
const followed = (client: PipelineClient, jobId = JOB_ID): { states: JobState[]; leave: () => void } => {
  const states: JobState[] = [];
  const leave = client.follow(jobId, (state) => states.push(state));
  return { states, leave };
};
const latest = ({ states }: { states: JobState[] }): JobState => states.at(-1)!;
const ready = (job: { states: JobState[] }): Promise<void> => until(() => latest(job).sequence >= 3);

describe('following', () => {
  test('opens no socket before a job is followed, then shows snapshot, progress and end', async () => {
    const client = newClient();
    expect(client.connection).toBe('idle');
    expect(server.handshakes).toHaveLength(0);
    const job = followed(client);
    expect(latest(job).status).toBe('unknown');
    await ready(job);
    server.push(pushOf('job_progress', { sequence: 4 }), pushOf('job_completed', { sequence: 5 }));
    await until(() => latest(job).status === 'completed');
    expect(job.states.map(({ sequence }) => sequence)).toEqual([-1, 3, 4, 5]);
    expect(latest(job).outputs[0]?.src).toBe(pushExamples.job_completed.outputs[0]?.src);
    expect(server.received).toEqual([JSON.stringify({ action: 'subscribe', jobId: JOB_ID })]);
  });

  test('many jobs share one socket and do not mix', async () => {
    const client = newClient();
    const jobs = ['a', 'b', 'c'].map((jobId) => followed(client, jobId));
    await Promise.all(jobs.map(ready));
    server.push(pushOf('job_progress', { jobId: 'b', sequence: 4, overallPercentage: 80 }));
    await until(() => latest(jobs[1]!).percentage === 80);
    expect(jobs.map((job) => latest(job).jobId)).toEqual(['a', 'b', 'c']);
    expect(latest(jobs[0]!).sequence).toBe(3);
    expect(server.handshakes).toHaveLength(1);
  });

  test('who comes second hears the known state at once, and leaving alone stops only oneself', async () => {
    const client = newClient();
    const first = followed(client);
    await ready(first);
    const second = followed(client);
    expect(latest(second).sequence).toBe(3);
    expect(server.received).toHaveLength(1);
    first.leave();
    server.push(pushOf('job_progress', { sequence: 4 }));
    await until(() => latest(second).sequence === 4);
    expect(latest(first).sequence).toBe(3);
  });

  test('a job that was left is forgotten after a while, and followed afresh later', async () => {
    const client = newClient({ timing: { ...FAST, forgetAfterMs: 4 } });
    const job = followed(client);
    await ready(job);
    job.leave();
    await until(() => client.getState(JOB_ID) === undefined);
    await ready(followed(client));
    expect(server.received.map((text) => (JSON.parse(text) as { action: string }).action)).toEqual([
      'subscribe',
      'unsubscribe',
      'subscribe',
    ]);
  });

  test('with nothing left to follow the socket closes after a while and opens again for the next job', async () => {
    const client = newClient({ timing: { ...FAST, idleCloseMs: 4 } });
    const job = followed(client);
    await ready(job);
    server.push(pushOf('job_cancelled', { sequence: 4 }));
    await until(() => client.connection === 'idle');
    await ready(followed(client, 'next'));
    expect(server.received.at(-1)).toContain('next');
    expect(server.handshakes).toHaveLength(2);
  });
});

describe('a bad network', () => {
  test('second deliveries, late ones and disorder are dropped and counted', async () => {
    const client = newClient();
    const job = followed(client);
    await ready(job);
    const four = pushOf('job_progress', { sequence: 4, overallPercentage: 40 });
    const five = pushOf('job_progress', { sequence: 5, overallPercentage: 50 });
    server.push(four, four, five, four, pushOf('job_completed', { sequence: 6 }), five);
    await until(() => client.counters.dropped === 3);
    expect(job.states.map(({ percentage }) => percentage)).toEqual([0, 67.9, 67.9, 67.9, 100]);
  });

  test('a gap asks for one snapshot, however many pushes show it', async () => {
    const client = newClient();
    const job = followed(client);
    await ready(job);
    server.onSubscribe = () => [];
    server.push(pushOf('job_progress', { sequence: 7 }), pushOf('job_progress', { sequence: 9 }));
    await until(() => client.counters.gaps === 2 && server.received.length === 2);
    expect(latest(job).sequence).toBe(9);
    server.push(snapshotOf({ sequence: 9, message: 'x' }));
    await until(() => client.counters.strangers === 0 && latest(job).sequence === 9);
    server.onSubscribe = (jobId) => [snapshotOf({ jobId, sequence: 20 })];
    server.push(pushOf('job_progress', { sequence: 12 }));
    await until(() => latest(job).sequence === 20);
    expect(server.received).toHaveLength(3);
  });

  test('a cut socket comes back and catches up on what was missed, without asking for finished jobs', async () => {
    const client = newClient();
    const running = followed(client);
    const finished = followed(client, 'done');
    await Promise.all([ready(running), ready(finished)]);
    server.push(pushOf('job_cancelled', { jobId: 'done', sequence: 4 }));
    await until(() => latest(finished).status === 'cancelled');
    server.onSubscribe = (jobId) => [snapshotOf({ jobId, sequence: 8, status: 'assigned', attempt: 2 })];
    const seen: string[] = [];
    client.onConnection((connection) => seen.push(connection));
    server.cut();
    await until(() => latest(running).attempt === 2);
    expect(server.received.filter((text) => text.includes('done'))).toHaveLength(1);
    expect(seen).toEqual(['reconnecting', 'open']);
  });

  test('five cuts in the midst of a job still end in its completion, never going back', async () => {
    const client = newClient();
    let sequence = 3;
    server.onSubscribe = (jobId) => {
      const progress = { ...pushExamples.job_snapshot.progress, overallPercentage: sequence };
      return [snapshotOf({ jobId, sequence, progress })];
    };
    const job = followed(client);
    await ready(job);
    for (let cut = 0; cut < 5; cut += 1) {
      server.push(pushOf('job_progress', { sequence: (sequence += 1), overallPercentage: sequence }));
      sequence += 2;
      server.cut();
      await until(() => latest(job).sequence === sequence);
    }
    server.push(pushOf('job_completed', { sequence: sequence + 1 }));
    await until(() => latest(job).status === 'completed');
    const percentages = job.states.map(({ percentage }) => percentage);
    expect(percentages).toEqual([...percentages].sort((a, b) => a - b));
  });

  test('frames that are no push are counted and harm nothing', async () => {
    const client = newClient();
    const job = followed(client);
    await ready(job);
    const garbage = ['', 'null', '[]', '{', 'NaN', '{"type":"job_paused"}', new Uint8Array([1, 2]), '1'];
    server.push(...garbage, pushOf('job_started', { jobId: 'stranger' }), pushOf('job_completed'));
    await until(() => latest(job).status === 'completed');
    expect(client.counters).toMatchObject({ ignored: garbage.length, strangers: 1 });
  });

  test('an unfinished job that went silent is asked for: its last push may be lost', async () => {
    const client = newClient({ timing: { ...FAST, staleAfterMs: 5 } });
    const job = followed(client);
    await ready(job);
    server.onSubscribe = (jobId) => [snapshotOf({ jobId, sequence: 9, status: 'completed', progress: null })];
    await until(() => latest(job).status === 'completed');
    expect(server.handshakes).toHaveLength(1);
  });

  test('a socket that answers nothing is taken for dead and replaced', async () => {
    server.onSubscribe = () => [];
    const client = newClient({ timing: { ...FAST, answerTimeoutMs: 5 } });
    const job = followed(client);
    await until(() => server.handshakes.length >= 2);
    server.onSubscribe = (jobId) => [snapshotOf({ jobId })];
    await ready(job);
  });

  test('once the server has spoken, the next cut is met with the shortest wait again', async () => {
    const timing = { ...FAST, reconnectBaseMs: 2, reconnectCapMs: 1e9 };
    const client = newClient({ timing, random: () => 1 });
    let sequence = 3;
    server.onSubscribe = (jobId) => [snapshotOf({ jobId, sequence })];
    const job = followed(client);
    await ready(job);
    // Were the waits to go on doubling, the last would take longer than any test may.
    for (; sequence < 18;) {
      sequence += 1;
      server.cut();
      await until(() => latest(job).sequence === sequence);
    }
    expect(server.handshakes).toHaveLength(16);
  });

  test('a handshake that is never answered is given up and tried again', async () => {
    const silent = createServer();
    let tries = 0;
    silent.on('connection', (socket) => {
      tries += 1;
      // Unread bytes would keep it half open after the other side has gone.
      socket.on('error', () => socket.destroy()).resume();
    });
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', () => resolve());
    });
    const { port } = silent.address() as AddressInfo;
    const timing = { ...FAST, connectTimeoutMs: 5 };
    const client = newClient({ webSocketUrl: `ws://127.0.0.1:${port}`, timing });
    followed(client);
    await until(() => tries >= 3);
    client.close();
    await new Promise((resolve) => {
      silent.close(resolve);
    });
  });

  test('a server that accepts and hangs up at once is met with growing patience', async () => {
    const waits: number[] = [];
    const random = (): number => (waits.push(server.handshakes.length), 1);
    server.onSubscribe = () => (server.cut(), []);
    const client = newClient({ random, timing: { ...FAST, reconnectBaseMs: 1, reconnectCapMs: 8 } });
    followed(client);
    const began = performance.now();
    // Each try asks twice: when to try again, and when to replace a connection that lasts.
    await until(() => waits.length >= 12);
    // 1 + 2 + 4 + 8 + 8 ms: were each `open` a success, it would be 1 ms each time.
    expect(performance.now() - began).toBeGreaterThan(20);
  });
});

describe('a connection that lasts', () => {
  test('is asked for a sign of life when it was silent for long, and lives on when it answers', async () => {
    const client = newClient({
      timing: { ...FAST, staleAfterMs: 1e9, pingAfterMs: 4, answerTimeoutMs: 60_000 },
    });
    await ready(followed(client));
    const pings = (): number => server.received.filter((text) => text === '{"action":"ping"}').length;
    await until(() => pings() >= 3);
    expect(server.handshakes).toHaveLength(1);
    expect(client.counters).toMatchObject({ ignored: 0, strangers: 0 });
  });

  test('is replaced when it gives no sign', async () => {
    server.answersPings = false;
    const timing = { ...FAST, staleAfterMs: 1e9, pingAfterMs: 4, answerTimeoutMs: 50 };
    await ready(followed(newClient({ timing })));
    await until(() => server.handshakes.length >= 2);
  });

  test('is replaced before its server ends it: the next one subscribes first, and nobody notices', async () => {
    const client = newClient({ timing: { ...FAST, renewAfterMs: 30 } });
    const seen: string[] = [];
    client.onConnection((connection) => seen.push(connection));
    let most = 0;
    const open: number[] = [];
    server.onSubscribe = (jobId) => {
      open.push(server.connections);
      most = Math.max(most, server.connections);
      return [snapshotOf({ jobId })];
    };
    const job = followed(client);
    await until(() => open.length >= 4);
    expect(most).toBeGreaterThanOrEqual(2);
    expect(seen).toEqual(['connecting', 'open']);
    server.push(pushOf('job_completed', { sequence: 4 }));
    await until(() => latest(job).status === 'completed');
    expect(client.counters.gaps).toBe(0);
  });

  test('is kept, and its replacement tried again, while no new one is to be had', async () => {
    const client = newClient({ timing: { ...FAST, renewAfterMs: 4, connectTimeoutMs: 50 } });
    const job = followed(client);
    await until(() => client.connection === 'open' && server.connections === 1);
    server.acceptsSockets = false;
    const before = server.handshakes.length;
    await until(() => server.handshakes.length >= before + 2);
    expect(client.connection).toBe('open');
    server.push(pushOf('job_completed', { sequence: 9 }));
    await until(() => latest(job).status === 'completed');
  });
});

describe('nodes and pictures', () => {
  test('are added to the state without being a state: no gap, not dropped', async () => {
    const client = newClient({ previews: true });
    const job = followed(client);
    await ready(job);
    expect(JSON.parse(server.received[0]!)).toEqual({ action: 'subscribe', jobId: JOB_ID, previews: true });
    server.push(pushOf('job_nodes', { sequence: 3 }), pushOf('job_preview', { sequence: 3 }));
    await until(() => latest(job).preview !== null);
    expect(latest(job)).toMatchObject({ sequence: 3, preview: { nodeId: '3', mimeType: 'image/jpeg' } });
    expect(latest(job).nodes).toMatchObject([{ nodeId: '3', state: 'executed', durationMs: 7000 }]);
    server.push(pushOf('job_completed', { sequence: 4 }));
    await until(() => latest(job).status === 'completed');
    expect(latest(job)).toMatchObject({ preview: null, eta: null });
    expect(client.counters).toMatchObject({ gaps: 0, dropped: 0 });
    expect(server.received).toHaveLength(1);
  });

  test('nodes of an attempt that was not heard of ask for one snapshot', async () => {
    const client = newClient();
    const job = followed(client);
    await ready(job);
    server.onSubscribe = (jobId) => [snapshotOf({ jobId, sequence: 6, attempt: 2 })];
    server.push(pushOf('job_nodes', { sequence: 4, attempt: 2 }));
    await until(() => latest(job).attempt === 2);
    expect(latest(job).nodes).toHaveLength(1);
    expect(client.counters.gaps).toBe(1);
    expect(server.received).toHaveLength(2);
  });

  test('nodes whose end was not heard before the end of their job are asked for once more', async () => {
    const client = newClient({ timing: { ...FAST, staleAfterMs: 5 } });
    const [node] = pushExamples.job_nodes.nodes as [JobState['nodes'][number]];
    const progress = { ...pushExamples.job_progress, totalNodes: 1 };
    server.onSubscribe = (jobId) => [
      snapshotOf({ jobId, status: 'completed', progress, nodes: [{ ...node, state: 'executing' }] }),
    ];
    const job = followed(client);
    await until(() => latest(job).status === 'completed');
    expect(latest(job).nodes).toMatchObject([{ state: 'executing' }]);
    server.onSubscribe = (jobId) => [
      snapshotOf({ jobId, status: 'completed', progress, nodes: [{ ...node, state: 'executed' }] }),
    ];
    await until(() => latest(job).nodes[0]?.state === 'executed');
    const asked = server.received.length;
    const other = followed(client, 'another');
    await until(() => latest(other).status === 'completed');
    expect(server.received.filter((text) => text.includes(JOB_ID)).length).toBe(asked);
  });
});

class MixedContent extends WebSocket {
  constructor(url: string) {
    super(url.replace('ws:', 'ftp:'));
  }
}

describe('without a socket', () => {
  test.each([
    ['handshakes are refused', () => ({})],
    ['there is no WebSocket', () => ({ webSocketUrl: 'no address at all' })],
    ['its constructor throws', () => ({ WebSocket: MixedContent })],
  ])('when %s the task API is polled up to the end', async (_why, options) => {
    server.acceptsSockets = false;
    let progress = 10;
    server.onRequest = () => ({
      status: 200,
      body: taskOf(progress < 90 ? { progress: (progress += 20) } : { status: 'completed' }),
    });
    const client = newClient({ ...options(), timing: POLLING });
    const job = followed(client);
    await until(() => latest(job).status === 'completed');
    expect(job.states.map(({ percentage }) => percentage)).toEqual([0, 30, 50, 70, 90, 100]);
    expect(client.connection).toBe('polling');
  });

  test('a socket that comes at last takes over', async () => {
    server.acceptsSockets = false;
    server.onRequest = () => ({ status: 500, body: '<html>' });
    const client = newClient({ timing: POLLING });
    const job = followed(client);
    await until(() => client.connection === 'polling' && server.requests.length > 2);
    expect(latest(job).status).toBe('unknown');
    server.acceptsSockets = true;
    client.reconnectNow();
    await ready(job);
    expect(client.connection).toBe('open');
  });

  test('a task that does not exist ends the following', async () => {
    server.acceptsSockets = false;
    const job = followed(newClient({ timing: POLLING }));
    await until(() => latest(job).status === 'notFound');
    expect(latest(job).failure?.message).toBe('no such task');
  });
});

describe('what the server refuses', () => {
  test('a job that it does not know', async () => {
    server.onSubscribe = (jobId) => [{ type: 'error', code: 'notFound', message: 'no such job', jobId }];
    const job = followed(newClient());
    await until(() => latest(job).status === 'notFound');
  });

  test('a request that it names no job for: the task API decides', async () => {
    server.onSubscribe = () => [{ type: 'error', code: 'badRequest', message: 'jobId: must be the id' }];
    server.onRequest = () => ({ status: 400, body: { error: 'id: must be a UUID' } });
    const job = followed(newClient(), 'not-a-uuid');
    await until(() => latest(job).status === 'notFound');
    expect(latest(job).failure?.message).toBe('id: must be a UUID');
    expect(server.handshakes).toHaveLength(1);
  });

  test('too many jobs on a connection that has finished ones: a new connection is opened', async () => {
    const client = newClient();
    const first = followed(client, 'first');
    await ready(first);
    server.push(pushOf('job_cancelled', { jobId: 'first', sequence: 4 }));
    await until(() => latest(first).status === 'cancelled');
    server.onSubscribe = (jobId) =>
      server.handshakes.length === 1
        ? [{ type: 'error', code: 'tooManySubscriptions', message: 'open another', jobId }]
        : [snapshotOf({ jobId })];
    await ready(followed(client, 'second'));
    expect(server.handshakes).toHaveLength(2);
  });

  test('more running jobs than a connection may follow: the rest is polled', async () => {
    const asked = new Set<string>();
    server.onSubscribe = (jobId) =>
      asked.add(jobId).size <= MAX_SUBSCRIPTIONS_PER_CONNECTION
        ? [snapshotOf({ jobId })]
        : [{ type: 'error', code: 'tooManySubscriptions', message: 'open another', jobId }];
    server.onRequest = ({ path }) => ({
      status: 200,
      body: taskOf({ id: path.split('/').at(-1)!, progress: 33 }),
    });
    const client = newClient();
    const jobs = Array.from({ length: MAX_SUBSCRIPTIONS_PER_CONNECTION + 1 }, (_, n) =>
      followed(client, `job-${n}`),
    );
    await until(() => jobs.every((job) => latest(job).status === 'running'));
    expect(latest(jobs.at(-1)!).percentage).toBe(33);
    expect(server.handshakes).toHaveLength(1);
  });
});

test('a list of outputs that was cut is fetched whole from the task API', async () => {
  const result = { src: null, mime_type: null, outputs: [taskOutput(0), taskOutput(1)], missing_outputs: [] };
  server.onRequest = () => ({ status: 200, body: taskOf({ status: 'completed', result }) });
  const client = newClient();
  const job = followed(client);
  await ready(job);
  server.push(pushOf('job_completed', { sequence: 4, outputsTruncated: true }));
  await until(() => latest(job).outputs.length === 2);
  expect(latest(job)).toMatchObject({ status: 'completed', outputsTruncated: false });
});

describe('credentials', () => {
  const answerTickets = (): void => {
    let made = 0;
    server.onRequest = ({ path }) =>
      path === '/api/v1/tickets'
        ? { status: 201, body: { ticket: `t${(made += 1)}`, expires_at: '', web_socket_url: '' } }
        : { status: 200, body: taskOf() };
  };

  test('a token goes to the API as bearer, and buys a new ticket for each handshake', async () => {
    let asked = 0;
    answerTickets();
    const client = newClient({ token: () => `secret ${(asked += 1)}` });
    const job = followed(client);
    await ready(job);
    server.cut();
    await until(() => server.handshakes.length === 2);
    await client.getTask(JOB_ID);
    expect(server.handshakes).toEqual(['/?ticket=t1', '/?ticket=t2']);
    expect(server.requests.map(({ method, path, authorization }) => [method, path, authorization])).toEqual([
      ['POST', '/api/v1/tickets', 'Bearer secret 1'],
      ['POST', '/api/v1/tickets', 'Bearer secret 2'],
      ['GET', `/api/v1/tasks/${JOB_ID}`, 'Bearer secret 3'],
    ]);
  });

  test('tickets may come from elsewhere, and without token and ticket the socket is opened as it is', async () => {
    answerTickets();
    await ready(followed(newClient({ ticket: async () => 'a b' })));
    await ready(followed(newClient({ ticket: ticketsFrom({ apiUrl: server.apiUrl }) })));
    await ready(followed(newClient()));
    expect(server.handshakes).toEqual(['/?ticket=a%20b', '/?ticket=t1', '/']);
    expect(server.requests).toMatchObject([{ path: '/api/v1/tickets', authorization: undefined }]);
  });

  test('a ticket that is refused is asked for again, and no socket is opened without one', async () => {
    let refusals = 2;
    server.onRequest = () => {
      refusals -= 1;
      return refusals >= 0
        ? { status: 503, body: { error: 'not now' } }
        : { status: 201, body: { ticket: 't' } };
    };
    await ready(followed(newClient({ token: 'x' })));
    expect(server.handshakes).toEqual(['/?ticket=t']);
  });

  test.each([{}, { ticket: '' }, { ticket: 7 }, [], 'no json'])('%j is no ticket', async (body) => {
    server.onRequest = () => ({ status: 201, body });
    await expect(ticketsFrom({ apiUrl: server.apiUrl })()).rejects.toMatchObject({ code: 'badAnswer' });
  });
});

/** A process of its own: it ends by itself only when no timer, socket or request is left. */
const script = `
const { WebSocket } = await import('ws');
const { createPipelineClient } = await import(process.env.CLIENT);
const { API_URL: apiUrl, SOCKET_URL: webSocketUrl, JOB_ID: jobId, UNTIL: wanted } = process.env;
const client = createPipelineClient({ apiUrl, webSocketUrl, WebSocket });
const finish = () => {
  client.close();
  console.log(client.connection);
};
client.follow(jobId, (state) => {
  if (state.sequence >= 3 && wanted === 'open') setImmediate(finish);
});
client.onConnection((connection) => {
  if (connection === 'reconnecting' && wanted === 'reconnecting') setImmediate(finish);
});
`;

const runToItsEnd = async (wanted: string): Promise<string> => {
  const env = {
    ...process.env,
    CLIENT: new URL('./pipeline-client.ts', import.meta.url).href,
    API_URL: server.apiUrl,
    SOCKET_URL: server.webSocketUrl,
    JOB_ID,
    UNTIL: wanted,
  };
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  const run = promisify(execFile)(process.execPath, args, { env, timeout: 15_000 });
  return (await run).stdout.trim();
};

describe('close', () => {
  test('with an open socket leaves nothing that keeps a process alive', async () => {
    expect(await runToItsEnd('open')).toBe('closed');
    await until(() => server.connections === 0);
  });

  test('while it waits to try again leaves nothing that keeps a process alive', async () => {
    server.acceptsSockets = false;
    expect(await runToItsEnd('reconnecting')).toBe('closed');
  });

  test('says no more, and nothing can be followed after it', async () => {
    const client = newClient();
    const job = followed(client);
    await ready(job);
    const told = job.states.length;
    client.close();
    client.close();
    server.push(pushOf('job_progress', { sequence: 4 }));
    await until(() => server.connections === 0);
    expect(job.states).toHaveLength(told);
    expect(client.connection).toBe('closed');
    expect(() => client.follow(JOB_ID, () => undefined)).toThrow('closed');
  });

  test('ends a request that is under way', async () => {
    let asked = false;
    const client = newClient({
      fetch: (_url, init) =>
        new Promise((_resolve, reject) => {
          asked = true;
          init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
        }),
    });
    const asking = client.getTask(JOB_ID);
    await until(() => asked);
    client.close();
    await expect(asking).rejects.toMatchObject({ code: 'closed', retryable: false });
  });
});
