/** Whose is whose, on the running stack: nobody reads, changes, guesses or borrows what belongs to somebody else. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { DynamoDBClient, ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { WebSocket } from 'ws';
import { apiRoutes, type OperationId, type RouteScope } from '../shared-types/api-routes.ts';
import { apiCaller, createUser, type ApiUser } from './support/api.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { storedKeys } from './support/stored-keys.ts';
import { waitUntil } from './support/wait.ts';
import { textToImage, type Workflow } from './support/workflows.ts';

jest.setTimeout(120_000);

let pipeline: Pipeline;
let alice: ApiUser;
let bob: ApiUser;
/** Something of alice's, by what the path of a route names. */
let alices: Readonly<Record<'tasks' | 'workflows' | 'keys' | 'workers', string>>;

beforeAll(async () => {
  pipeline = await startPipeline({ stepDelayMs: 1 });
  const { apiUrl } = pipeline.demo.endpoints;
  const scopes = ['tasks:read', 'tasks:write', 'workers:read', 'keys:write'] as const;
  alice = await createUser(apiUrl, 'alice', scopes);
  bob = await createUser(apiUrl, 'bob', scopes);
  const tasks = await alice.submit({
    payload: textToImage({ size: 16 }),
    callback_url: 'http://127.0.0.1:9/nobody',
  });
  await alice.finished(tasks);
  const workflow = { body: { workflow: textToImage() } };
  expect((await alice.operation('putWorkflow', 'portrait', workflow)).status).toBe(201);
  alices = { tasks, workflows: 'portrait', keys: alice.keyId, workers: 'pod-1' };
}, 120_000);
afterAll(() => pipeline.stop(), 60_000);

const routesWithId = (Object.keys(apiRoutes) as OperationId[]).filter((name) =>
  apiRoutes[name].path.includes('{'),
);
/** The kind of thing that the path names; throws for one that this test does not know yet. */
const kindOf = (name: OperationId): 'tasks' | 'workflows' | 'keys' | 'workers' => {
  const { path } = apiRoutes[name];
  const [, kind = ''] = /^\/([a-z]+)\/\{id\}/.exec(path) ?? [];
  if (kind === 'tasks' || kind === 'workflows' || kind === 'keys' || kind === 'workers') return kind;
  throw new Error(`${name}: ${path} names something whose owner this test must learn to check`);
};
/** A body that would be taken if the thing were the caller's own. */
const bodyOf = (name: OperationId): { readonly body?: unknown } => {
  if (name === 'changeTask') return { body: { priority: 9 } };
  return name === 'putWorkflow' ? { body: { workflow: textToImage() } } : {};
};
/** Putting a workflow under an id makes one's own: each user has their own ids. */
const owned = routesWithId.filter((name) => kindOf(name) !== 'workers' && name !== 'putWorkflow');

test('every route that names a thing is looked at here', () => {
  expect(routesWithId.map(kindOf)).toHaveLength(routesWithId.length);
  expect(owned.length).toBeGreaterThanOrEqual(10);
});

describe("another user's thing is not there", () => {
  test.each(owned)('%s', async (name) => {
    const id = alices[kindOf(name)];
    const answer = await bob.operation(name, id, bodyOf(name));
    expect(answer.status).toBe(404);
    // In the very words in which a thing is not there that never was, so that nobody can guess.
    const unknown = { tasks: '0f6f4b43-7f3a-4d0f-9f43-1d0b8f6f2b10', workflows: 'x', keys: '0'.repeat(16) };
    const never = await bob.operation(name, { ...unknown, workers: '' }[kindOf(name)], bodyOf(name));
    expect(answer).toMatchObject({ status: never.status, text: never.text });
    expect(answer.text).not.toContain('alice');
  });

  test('and has come to no harm', async () => {
    expect((await alice.task(alices.tasks)).priority).toBe(5);
    expect((await alice.operation('getWorkflow', 'portrait')).status).toBe(200);
    expect((await alice.operation('listKeys')).body).toMatchObject({ keys: [{ revoked: false }] });
  });

  test('a workflow of the same id is one of their own', async () => {
    const workflow: Workflow = textToImage({ text: "bob's" });
    expect((await bob.operation('putWorkflow', 'portrait', { body: { workflow } })).status).toBe(201);
    expect((await alice.operation('getWorkflow', 'portrait')).text).not.toContain("bob's");
    expect((await bob.operation('deleteWorkflow', 'portrait')).status).toBe(204);
    expect((await alice.operation('getWorkflow', 'portrait')).status).toBe(200);
    const sent = await bob.operation('submitTask', '', { body: { workflow_id: 'portrait' } });
    expect(sent).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(/you keep no workflow/) },
    });
  });

  test('an Idempotency-Key of one user says nothing to another', async () => {
    const headers = { 'idempotency-key': 'the same' };
    const body = JSON.stringify({ workflow_id: 'same', payload: textToImage({ size: 16 }) });
    const [first, second] = [
      await alice.operation('submitTask', '', { body, headers }),
      await bob.operation('submitTask', '', { body, headers }),
    ];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(first.body?.['id']).not.toBe(second.body?.['id']);
    await bob.finished(String(second.body?.['id']));
  });

  test('an uploaded file can be used by its owner alone', async () => {
    const asked = await alice.operation('createFile', '', { body: { filename: 'a.json', size: 2 } });
    const { file_id, upload_url, headers } = asked.body as {
      file_id: string;
      upload_url: string;
      headers: Record<string, string>;
    };
    expect((await fetch(upload_url, { method: 'PUT', headers, body: '{}' })).status).toBe(200);
    const asWorkflow = { workflow_id: 'x', payload_file_id: file_id };
    const asInput = {
      workflow_id: 'x',
      payload: textToImage(),
      inputs: { '6.inputs.text': { file_id } },
    };
    for (const body of [asWorkflow, asInput]) {
      const refused = await bob.operation('submitTask', '', { body });
      expect(refused).toMatchObject({
        status: 404,
        body: { error: expect.stringMatching(/no such file of yours/) },
      });
    }
    const own = await alice.operation('submitTask', '', { body: asWorkflow });
    expect(own).toMatchObject({ status: 400, body: { error: expect.not.stringMatching(/no such file/) } });
  });
});

describe('lists', () => {
  test("show one's own", async () => {
    const [hers, his] = [await alice.list(), await bob.list()];
    expect(hers.map(({ id }) => id)).toContain(alices.tasks);
    expect(his.map(({ id }) => id)).not.toContain(alices.tasks);
    const counted = ({ queue }: Awaited<ReturnType<ApiUser['metrics']>>): number =>
      Object.values(queue).reduce<number>((sum, count) => sum + Number(count), 0);
    expect(counted(await alice.metrics())).toBe(hers.length);
    expect(counted(await bob.metrics())).toBe(his.length);
    expect((await bob.operation('listWorkflows')).body).toEqual({ workflows: [] });
    const keys = (await bob.operation('listKeys')).body as { keys: { user_id: string }[] };
    expect(new Set(keys.keys.map(({ user_id }) => user_id))).toEqual(new Set(['bob']));
    expect((await bob.call('GET', '/keys?user_id=alice')).status).toBe(403);
    expect((await bob.call('DELETE', `/keys/${alice.keyId}?user_id=alice`)).status).toBe(403);
    const forAlice = { body: { name: 'x', user_id: 'alice' } };
    expect((await bob.operation('createKey', '', forAlice)).status).toBe(403);
  });

  test("are continued with one's own cursor alone", async () => {
    await alice.submit({ payload: textToImage({ size: 16 }) });
    const page = (await alice.call('GET', '/tasks?limit=1')).body;
    const cursor = encodeURIComponent(String(page?.['next_cursor']));
    expect((await alice.call('GET', `/tasks?limit=1&cursor=${cursor}`)).status).toBe(200);
    expect((await bob.call('GET', `/tasks?limit=1&cursor=${cursor}`)).status).toBe(400);
  });
});

describe('credentials', () => {
  test('a revoked key is refused at once', async () => {
    const { apiUrl } = pipeline.demo.endpoints;
    const carol = await createUser(apiUrl, 'carol');
    expect((await carol.call('GET', '/tasks')).status).toBe(200);
    expect((await apiCaller(apiUrl).call('DELETE', `/keys/${carol.keyId}?user_id=carol`)).status).toBe(204);
    const refused = await carol.call('GET', '/tasks');
    expect(refused).toMatchObject({ status: 401, body: { error: expect.stringMatching(/revoked/) } });
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
  });

  test('an expired key is refused at once', async () => {
    const { apiUrl, awsEndpointUrl: endpoint, awsRegion: region, tableName } = pipeline.demo.endpoints;
    const dave = await createUser(apiUrl, 'dave');
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const client = new DynamoDBClient({ endpoint, region, credentials });
    const found = await client.send(
      new ScanCommand({
        TableName: tableName,
        FilterExpression: 'keyId = :id',
        ExpressionAttributeValues: { ':id': { S: dave.keyId } },
      }),
    );
    for (const { pk, sk } of found.Items ?? []) {
      await client.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: { pk: pk!, sk: sk! },
          UpdateExpression: 'SET validUntil = :then',
          ExpressionAttributeValues: { ':then': { S: '2020-01-01T00:00:00.000Z' } },
        }),
      );
    }
    client.destroy();
    expect(found.Items).toHaveLength(2);
    const refused = await dave.call('GET', '/tasks');
    expect(refused).toMatchObject({ status: 401, body: { error: expect.stringMatching(/expired/) } });
  });

  test.each([
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Basic YWxpY2U6eA==',
    'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.',
    `Bearer cpk_0123456789abcdef_${'A'.repeat(43)}`,
  ])('%j is nobody, although nobody in particular would be let in', async (authorization) => {
    const answer = await apiCaller(pipeline.demo.endpoints.apiUrl).call('GET', '/tasks', {
      headers: { authorization },
    });
    expect(answer).toMatchObject({ status: 401, body: { error: expect.any(String) } });
  });

  test('a changed key is none', async () => {
    const last = alice.key.at(-1) === 'A' ? 'B' : 'A';
    const altered = apiCaller(pipeline.demo.endpoints.apiUrl, `${alice.key.slice(0, -2)}${last}${last}`);
    expect((await altered.call('GET', '/tasks')).status).toBe(401);
  });

  const asked = (Object.keys(apiRoutes) as OperationId[]).filter((name) => apiRoutes[name].scope !== 'none');
  test('a scope that is lacking is 403 on every route, and each route asks for one', async () => {
    const { apiUrl } = pipeline.demo.endpoints;
    const all = ['tasks:read', 'tasks:write', 'workers:read', 'keys:write', 'admin'] as const;
    const lacking = new Map<RouteScope, ApiUser>();
    for (const scope of all) {
      lacking.set(
        scope,
        await createUser(
          apiUrl,
          'eve',
          all.filter((each) => each !== scope),
        ),
      );
    }
    for (const name of asked) {
      const { scope } = apiRoutes[name];
      const answer = await lacking.get(scope)!.operation(name, 'x', bodyOf(name));
      expect({ name, status: answer.status, says: answer.body?.['error'] }).toEqual({
        name,
        status: 403,
        says: expect.stringContaining(scope),
      });
    }
  });

  test('scopes that one lacks cannot be given away', async () => {
    const answer = await bob.operation('createKey', '', { body: { name: 'more', scopes: ['admin'] } });
    expect(answer).toMatchObject({ status: 403, body: { error: expect.stringMatching(/admin/) } });
  });
});

describe('the socket', () => {
  const ticketOf = async (user: ApiUser): Promise<string> =>
    String((await user.operation('createTicket')).body?.['ticket']);
  /** The status that the handshake is answered with. */
  const handshake = (query: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${pipeline.demo.endpoints.webSocketUrl}${query}`);
      socket.once('open', () => {
        socket.close();
        resolve(101);
      });
      socket.once('unexpected-response', (request, response) => {
        request.destroy();
        resolve(response.statusCode ?? 0);
      });
      socket.once('error', reject);
    });

  test('a ticket opens one connection', async () => {
    const ticket = await ticketOf(alice);
    expect(await handshake(`?ticket=${ticket}`)).toBe(101);
    expect(await handshake(`?ticket=${ticket}`)).toBe(401);
    expect(await handshake(`?ticket=${'A'.repeat(43)}`)).toBe(401);
  });

  test('a key or a token in its address is refused, with or without a ticket', async () => {
    expect(await handshake(`?token=${alice.key}`)).toBe(401);
    expect(await handshake(`?ticket=${alice.key}`)).toBe(401);
    expect(await handshake(`?ticket=${await ticketOf(alice)}&token=x`)).toBe(401);
  });

  test("tells of one's own tasks; another user's is not there, and never heard of", async () => {
    const [hers, his] = [
      await pipeline.watch(await ticketOf(alice)),
      await pipeline.watch(await ticketOf(bob)),
    ];
    const id = await alice.submit({ payload: textToImage({ seed: 999, size: 16 }) });
    hers.follow(id);
    his.follow(id);
    his.follow(alices.tasks);
    await hers.until(id, ({ type }) => type === 'job_completed' || type === 'job_snapshot', 60_000);
    await waitUntil(() => his.messages.length >= 2, { what: 'two answers', timeoutMs: 60_000 });
    await alice.finished(id);
    await pipeline.demo.aws.idle();
    expect(his.messages.map((message) => (message.type === 'error' ? message.code : message.type))).toEqual([
      'notFound',
      'notFound',
    ]);
  });
});

test("every output lies below its owner's own prefix", async () => {
  const id = await bob.submit({ payload: textToImage({ seed: 31, size: 16 }), session_id: 'spring' });
  const task = await bob.finished(id);
  const [output] = task.result!.outputs;
  expect(new URL(output!.src).pathname).toMatch(/^\/bob\/spring\/[0-9a-f-]{36}\.png$/);
  await pipeline.demo.aws.idle();
  const owners = (await storedKeys(pipeline.demo)).map((key) => key.split('/')[0]);
  expect(new Set(owners)).toEqual(new Set(['alice', 'bob']));
});
