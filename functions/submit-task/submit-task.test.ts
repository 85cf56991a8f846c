import { describe, expect, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { errorBodySchema, submitTaskResponseSchema } from '../../shared-types/index.ts';
import { createApiWorld, createCaller } from '../adapters/test-support/api-world.ts';
import type { ApiCall } from '../adapters/test-support/api-event.ts';
import { JOB_ID, makeAssignedJob, START, uuidOf } from '../core/test-support/fixtures.ts';
import type { AddressPolicy } from '../core/worker-address.ts';
import type { Catalogue } from '../core/workflow/catalogue.ts';
import { createSubmitTaskHandler } from './submit-task.ts';

const PAYLOAD = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"image":"a.png"}}}';
const BODY = `{"workflow_id":"text_to_image_v1","priority":7,"payload":${PAYLOAD}}`;

const setUp = (outboundPolicy?: AddressPolicy) => {
  const world = createApiWorld(outboundPolicy);
  const call = createCaller(createSubmitTaskHandler(world.submitPorts));
  const post = (body: string | Buffer, rest: ApiCall = {}) => call('submitTask', { body, ...rest });
  const retry = (id: string, rest: ApiCall = {}) => call('retryTask', { pathParameters: { id }, ...rest });
  return { ...world, post, retry };
};
type World = ReturnType<typeof setUp>;

/** Nothing of a refused submission is left anywhere. */
const expectNothing = async ({ table, workflows, publisher }: World): Promise<void> => {
  expect(table.allJobs()).toEqual([]);
  expect(table.claims.size).toBe(0);
  expect(await table.allQueue()).toEqual([]);
  expect(workflows.workflows.size).toBe(0);
  expect(publisher.events).toEqual([]);
};

test('an accepted task is durable, queued, and told to the dispatcher', async () => {
  const world = setUp();
  const { status, json } = await world.post(BODY);
  expect(status).toBe(201);
  expect(json).toEqual({
    id: uuidOf(1),
    workflow_id: 'text_to_image_v1',
    status: 'pending',
    created_at: START,
  });
  expect(submitTaskResponseSchema.parse(json)).toEqual(json);
  expect(world.workflows.workflows.get(uuidOf(1))).toBe(PAYLOAD);
  const needs = { classes: ['KSampler'], models: [], tags: [] };
  expect(world.table.allJobs()).toMatchObject([
    { jobId: uuidOf(1), userId: 'user-1', status: 'pending', attempt: 0, revision: 1, priority: 7, needs },
  ]);
  expect(await world.table.allQueue()).toEqual([
    { jobId: uuidOf(1), userId: 'user-1', priority: 7, queuedAt: START, notBefore: null, needs },
  ]);
  expect(world.publisher.events).toMatchObject([
    { detailType: 'Task Submitted', detail: { jobId: uuidOf(1) } },
  ]);
});

test('what a caller asks for goes with the job', async () => {
  const world = setUp();
  const wishes =
    '"session_id":"s-1","max_retries":0,"timeout_seconds":60,"tags":["gpu:l4","eu","eu"],"callback_url":"https://example.com/hook?x=1"';
  const models = '{"4":{"class_type":"Loader","inputs":{"ckpt_name":"flux.safetensors"}}}';
  await world.post(`{"workflow_id":"w",${wishes},"payload":${models}}`);
  const needs = { classes: ['Loader'], models: ['flux.safetensors'], tags: ['eu', 'gpu:l4'] };
  expect(world.jobOf(uuidOf(1))).toMatchObject({
    sessionId: 's-1',
    maxRetries: 0,
    timeoutSeconds: 60,
    callbackUrl: 'https://example.com/hook?x=1',
    needs,
  });
  expect(await world.table.allQueue()).toMatchObject([{ needs }]);
});

test('a bus that does not answer costs no task: the sweep finds it', async () => {
  const { table, publisher, logger, post } = setUp();
  publisher.failNext(1);
  expect((await post(BODY)).status).toBe(201);
  expect(table.allJobs()).toHaveLength(1);
  expect(await table.allQueue()).toHaveLength(1);
  expect(logger.lines).toMatchObject([{ level: 'warn', code: 'task.wake-up-failed' }]);
});

const STEPS = [
  ['workflows', 'put', 'before'],
  ['workflows', 'put', 'after'],
  ['queue', 'put', 'before'],
  ['queue', 'put', 'after'],
  ['jobs', 'create', 'before'],
  ['jobs', 'create', 'after'],
] as const;

describe('a step that fails is a 500 that may be repeated, and leaves no job that nothing would find', () => {
  test.each(STEPS)('%s.%s, %s its effect', async (port, method, time) => {
    const { table, workflows, post } = setUp();
    table.fail(port, method, 1, time);
    const answer = await post(BODY);
    expect(answer).toMatchObject({ status: 500, text: expect.not.stringContaining('fault') });
    for (const { jobId, queuedAt } of table.allJobs()) {
      expect(workflows.workflows.get(jobId)).toBe(PAYLOAD);
      expect(await table.allQueue()).toMatchObject([{ jobId, queuedAt }]);
    }
    expect((await post(BODY)).status).toBe(201);
  });
});

describe('an Idempotency-Key', () => {
  const headers = { 'Idempotency-Key': 'order 4711' };

  test('makes a repetition answer the first task, whatever has become of it', async () => {
    const { table, clock, post } = setUp();
    const first = await post(BODY, { headers });
    clock.advance(60_000);
    expect(await post(BODY, { headers })).toEqual(first);
    const [job] = table.allJobs();
    await table.jobs.update({
      guard: { jobId: job!.jobId, statuses: ['pending'] },
      patch: { status: 'completed' },
    });
    expect(await post(gzipSync(BODY), { headers: { ...headers, 'content-encoding': 'gzip' } })).toEqual(
      first,
    );
    expect(table.allJobs()).toHaveLength(1);
    expect(await table.allQueue()).toHaveLength(1);
  });

  test('with another body is 409', async () => {
    const { table, post } = setUp();
    await post(BODY, { headers });
    const other = await post(BODY.replace('"priority":7', '"priority":8'), { headers });
    expect(other).toMatchObject({ status: 409, text: expect.stringContaining('Idempotency-Key') });
    expect(table.allJobs()).toHaveLength(1);
  });

  test("is the user's own", async () => {
    const { table, post } = setUp();
    await post(BODY, { headers });
    expect((await post(BODY, { headers, userId: 'user-2' })).status).toBe(201);
    expect(new Set(table.allJobs().map(({ userId }) => userId))).toEqual(new Set(['user-1', 'user-2']));
  });

  test('leaves the id of its task as random as any other, for its pictures are found by it', async () => {
    const world = setUp();
    const ids = [uuidOf(501), uuidOf(502)];
    const call = createCaller(
      createSubmitTaskHandler({ ...world.submitPorts, ids: { uuid: () => ids.shift() ?? '' } }),
    );
    const [first, again] = [
      await call('submitTask', { body: BODY, headers }),
      await call('submitTask', { body: BODY, headers }),
    ];
    expect(first.json).toMatchObject({ id: uuidOf(501) });
    expect(again).toEqual(first);
  });

  test('that came with a refused request is still free', async () => {
    const { post } = setUp();
    expect((await post('{"workflow_id":"w"}', { headers })).status).toBe(400);
    expect((await post(BODY, { headers })).status).toBe(201);
  });

  test('that was claimed by a request that ended there makes its very task', async () => {
    for (const time of ['before', 'after'] as const) {
      const { table, post } = setUp();
      table.fail('idempotency', 'claim', 1, time);
      expect((await post(BODY, { headers })).status).toBe(500);
      const [claimed] = [...table.claims.values()];
      const { status, json } = await post(BODY, { headers });
      expect(status).toBe(201);
      expect(table.allJobs()).toHaveLength(1);
      if (claimed !== undefined) expect(json).toMatchObject({ id: claimed.jobId });
      expect(claimed === undefined).toBe(time === 'before');
    }
  });

  test.each(STEPS)('heals a crash of %s.%s, %s its effect, by repeating', async (port, method, time) => {
    const { table, workflows, clock, post } = setUp();
    table.fail(port, method, 1, time);
    expect((await post(BODY, { headers })).status).toBe(500);
    clock.advance(5_000);
    expect((await post(BODY, { headers })).status).toBe(201);
    const [job, ...others] = table.allJobs();
    expect(others).toEqual([]);
    expect(workflows.workflows.get(job!.jobId)).toBe(PAYLOAD);
    const entries = await table.allQueue();
    expect(entries).toContainEqual(expect.objectContaining({ jobId: job!.jobId, queuedAt: job!.queuedAt }));
    expect((await post(BODY, { headers })).json).toMatchObject({ created_at: job!.createdAt });
  });

  test('after a crash with another body is 409, and the first may still be repeated', async () => {
    const { table, workflows, post } = setUp();
    table.fail('queue', 'put', 1);
    await post(BODY, { headers });
    const other = BODY.replace('18446744073709551615', '1');
    expect((await post(other, { headers })).status).toBe(409);
    expect((await post(BODY, { headers })).status).toBe(201);
    expect([...workflows.workflows.values()]).toEqual([PAYLOAD]);
  });

  test('sent many times at once, with two bodies, is one task of one of them', async () => {
    const { table, workflows, post } = setUp();
    const bodies = [1, 2, 1, 2, 1].map((seed) => BODY.replace('18446744073709551615', String(seed)));
    const answers = await Promise.all(bodies.map((body) => post(body, { headers })));
    const accepted = bodies.filter((_body, index) => answers[index]?.status === 201);
    expect(new Set(accepted).size).toBe(1);
    expect(answers.map(({ status }) => status).filter((status) => status !== 201 && status !== 409)).toEqual(
      [],
    );
    const [job] = table.allJobs();
    expect(table.allJobs()).toHaveLength(1);
    expect(accepted[0]).toContain(workflows.workflows.get(job!.jobId));
    expect(await table.allQueue()).toMatchObject([{ jobId: job!.jobId, queuedAt: job!.queuedAt }]);
  });

  test.each([[''], [' '], ['x'.repeat(256)], ['ü'], ['a\tb']])('%j is 400', async (key) => {
    const world = setUp();
    expect(await world.post(BODY, { headers: { 'idempotency-key': key } })).toMatchObject({
      status: 400,
      text: expect.stringContaining('1 to 255 printable'),
    });
    await expectNothing(world);
  });
});

describe('a workflow from an uploaded file', () => {
  const FILE = uuidOf(900);
  const body = `{"workflow_id":"w","payload_file_id":"${FILE}"}`;

  test('runs as it was uploaded', async () => {
    const { uploads, workflows, post } = setUp();
    uploads.arrive('user-1', FILE, 'w.json', PAYLOAD);
    expect((await post(body)).status).toBe(201);
    expect(workflows.workflows.get(uuidOf(1))).toBe(PAYLOAD);
  });

  test('may have 10 MB, and no more', async () => {
    const sized = (bytes: number): string => {
      const frame = '{"1":{"class_type":"A","inputs":{"x":""}}}';
      return frame.replace('""', `"${'x'.repeat(bytes - frame.length)}"`);
    };
    const world = setUp();
    world.uploads.arrive('user-1', FILE, 'w.json', sized(10 * 1024 * 1024));
    expect((await world.post(body)).status).toBe(201);
    const other = setUp();
    other.uploads.arrive('user-1', FILE, 'w.json', sized(10 * 1024 * 1024 + 1));
    expect(await other.post(body)).toMatchObject({ status: 413, text: expect.stringContaining('10 MB') });
    await expectNothing(other);
  });

  test.each([
    ['has not arrived', undefined, 404, /payload_file_id.*PUT its bytes/],
    ['is no JSON', '{', 400, /payload_file_id is not valid JSON/],
    ['is no text', Buffer.from([0x7b, 0xff]), 400, /UTF-8/],
    ['is a UI export', '{"nodes":[],"links":[]}', 400, /Export \(API\)/],
  ])('that %s is refused in one line', async (_what, content, status, message) => {
    const world = setUp();
    if (content !== undefined) world.uploads.arrive('user-1', FILE, 'w.json', content);
    const answer = await world.post(body);
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(message);
    await expectNothing(world);
  });

  test("that is another user's is not there", async () => {
    const world = setUp();
    world.uploads.arrive('user-2', FILE, 'w.json', PAYLOAD);
    const missing = await world.post(body.replace(FILE, uuidOf(901)));
    expect(await world.post(body)).toEqual(missing);
    expect(missing.status).toBe(404);
  });
});

describe('a stored workflow', () => {
  const stored = {
    userId: 'user-1',
    workflowId: 'portrait',
    workflowText: PAYLOAD,
    parameters: { seed: '3.inputs.seed', picture: ['3.inputs.image'] },
    createdAt: START,
    updatedAt: START,
  };

  test('runs with its parameters set, every digit as sent', async () => {
    const { storedWorkflows, workflows, post } = setUp();
    await storedWorkflows.put(stored);
    expect((await post('{"workflow_id":"portrait"}')).status).toBe(201);
    expect((await post('{"workflow_id":"portrait","inputs":{"seed":9007199254740993}}')).status).toBe(201);
    expect(workflows.workflows.get(uuidOf(1))).toBe(PAYLOAD);
    expect(workflows.workflows.get(uuidOf(2))).toBe(
      PAYLOAD.replace('18446744073709551615', '9007199254740993'),
    );
  });

  test.each([
    ['another', 'user-1'],
    ['portrait', 'user-2'],
    ['__proto__', 'user-1'],
    ['../portrait', 'user-1'],
  ])('%j of %s that is not kept is 400, saying how to send one', async (id, userId) => {
    const world = setUp();
    await world.storedWorkflows.put(stored);
    const answer = await world.post(JSON.stringify({ workflow_id: id }), { userId });
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(/payload.*payload_file_id.*PUT \/api\/v1\/workflows/);
    await expectNothing(world);
  });

  test.each([
    ['{"nothing":1}', /there is no parameter \\"nothing\\"/],
    ['{"seed":"high"}', /must be a number/],
    ['{"seed":null}', /null/],
  ])('with the inputs %s is 400', async (inputs, message) => {
    const world = setUp();
    await world.storedWorkflows.put(stored);
    const answer = await world.post(`{"workflow_id":"portrait","inputs":${inputs}}`);
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(message);
    await expectNothing(world);
  });
});

describe('a file input', () => {
  const FILE = uuidOf(900);
  const withInput = (value: unknown): string =>
    `{"workflow_id":"w","inputs":{"3.inputs.image":${JSON.stringify(value)}},"payload":${PAYLOAD}}`;

  test('that was uploaded goes with the job', async () => {
    const { uploads, workflows, jobOf, post } = setUp();
    uploads.arrive('user-1', FILE, 'me.png', 'png');
    expect((await post(withInput({ file_id: FILE }))).status).toBe(201);
    expect(jobOf(uuidOf(1)).fileCount).toBe(1);
    expect(workflows.files.get(uuidOf(1))).toEqual([
      {
        nodeId: '3',
        input: 'image',
        source: { kind: 'file', key: `uploads/user-1/${FILE}/me.png`, filename: 'me.png' },
      },
    ]);
  });

  test('by URL goes with the job, query and all', async () => {
    const { workflows, post } = setUp();
    expect((await post(withInput({ url: 'https://example.com/a.png?sig=1' }))).status).toBe(201);
    expect(workflows.files.get(uuidOf(1))).toMatchObject([
      { source: { kind: 'url', url: 'https://example.com/a.png?sig=1' } },
    ]);
  });

  test.each([
    [{ file_id: uuidOf(901) }, 404, /input \\"3.inputs.image\\".*PUT its bytes/],
    [{ file_id: 'x' }, 400, /file_id must be a UUID/],
    [{ file_id: ['x'] }, 400, /file_id/],
    [{ url: 'https://169.254.169.254/latest' }, 400, /input \\"3.inputs.image\\".*forbidden/],
    [{ url: 'https://10.0.0.1/a.png' }, 400, /private/],
    [{ url: 'file:///etc/passwd' }, 400, /https/],
    [{ file_id: FILE, url: 'https://example.com' }, 400, /image/],
    [{}, 400, /image/],
    [['3', 0], 400, /image/],
  ])('%j is refused, naming the input', async (value, status, message) => {
    const world = setUp();
    world.uploads.arrive('user-2', uuidOf(901), 'theirs.png', 'png');
    const answer = await world.post(withInput(value));
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(message);
    await expectNothing(world);
  });

  test('more than fifty are refused', async () => {
    const world = setUp();
    const names = Array.from({ length: 51 }, (_, n) => `i${n}`);
    const node = JSON.stringify(Object.fromEntries(names.map((name) => [name, ''])));
    const inputs = JSON.stringify(
      Object.fromEntries(names.map((name) => [`1.inputs.${name}`, { url: 'https://example.com/a.png' }])),
    );
    const answer = await world.post(
      `{"workflow_id":"w","inputs":${inputs},"payload":{"1":{"class_type":"A","inputs":${node}}}}`,
    );
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('50 files') });
  });
});

describe("a name that reaches other people's files", () => {
  const loader = (image: unknown, classType = 'LoadImage') =>
    JSON.stringify({ '1': { class_type: classType, inputs: { image } } });
  const body = (payload: string, inputs: object = {}) =>
    `{"workflow_id":"w","inputs":${JSON.stringify(inputs)},"payload":${payload}}`;
  const FOREIGN = 'ComfyUI_00001_.png [output]';
  const HINT = /POST \/api\/v1\/files and name it in inputs/;

  test.each([
    ['in the workflow', body(loader(FOREIGN))],
    ['in a path out of the folder', body(loader('../../../../etc/passwd'))],
    ['in an input', body(loader('example.png'), { '1.inputs.image': FOREIGN })],
  ])('is refused %s, in one line', async (_where, sent) => {
    const world = setUp();
    const answer = await world.post(sent);
    expect(answer.status).toBe(400);
    expect(errorBodySchema.parse(answer.json)).toMatchObject({
      error: expect.stringMatching(HINT),
      node_errors: { '1': { errors: [{ type: 'custom_validation_failed', input: 'image' }] } },
    });
    expect(answer.text).not.toMatch(/\n|\\n/);
    await expectNothing(world);
  });

  test('is refused in a stored workflow and its parameters, but may be replaced by a file', async () => {
    const world = setUp();
    const stored = { userId: 'user-1', createdAt: START, updatedAt: START };
    const parameters = { picture: '1.inputs.image' };
    await world.storedWorkflows.put({
      ...stored,
      workflowId: 'mine',
      workflowText: loader(FOREIGN),
      parameters,
    });
    world.uploads.arrive('user-1', uuidOf(900), 'me.png', 'png');
    expect((await world.post('{"workflow_id":"mine"}')).text).toMatch(HINT);
    const other = await world.post('{"workflow_id":"mine","inputs":{"picture":"../x.png"}}');
    expect(other).toMatchObject({ status: 400, text: expect.stringMatching(HINT) });
    await expectNothing(world);
    const file = await world.post(`{"workflow_id":"mine","inputs":{"picture":{"file_id":"${uuidOf(900)}"}}}`);
    expect(file.status).toBe(201);
  });

  test.each(['ready', 'stopped'])('is refused in an input for uploads that a %s pod knows', async (state) => {
    const world = setUp();
    const picture = { type: 'COMBO', upload: true } as const;
    const painter = { outputNode: true, required: { image: picture }, optional: {}, outputs: [] };
    await world.addWorker('pod-1', { classes: { Painter: painter } });
    // The nodes of another are unknown.
    await world.addWorker('pod-2');
    if (state === 'stopped') {
      for (const { workerId, clientId, bootId } of world.table.allWorkers()) {
        await world.table.workers.stop({ workerId, clientId, bootId, sequence: 1000, timestamp: START });
      }
    }
    const answer = await world.post(body(loader(FOREIGN, 'Painter')));
    expect(answer).toMatchObject({ status: 400, text: expect.stringMatching(HINT) });
    await expectNothing(world);
    expect((await world.post(body(loader('example.png', 'Painter')))).status).toBe(201);
  });

  test.each(['LoadImageOutput', 'LoadImageSetFromFolderNode'])(
    'cannot be looked up with %s',
    async (name) => {
      const world = setUp();
      const answer = await world.post(body(loader('a.png', name)));
      expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('files of every user') });
      await expectNothing(world);
    },
  );

  test.each(['../../x', '/tmp/x'])(
    'as the prefix %j of a file to write is refused as well',
    async (prefix) => {
      const save =
        '{"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"a","images":["1",0]}},"1":{"class_type":"A","inputs":{}}}';
      const world = setUp();
      const answer = await world.post(body(save, { '9.inputs.filename_prefix': prefix }));
      expect(answer.status).toBe(400);
      expect(answer.text).toContain('must stay within the output folder');
      await expectNothing(world);
    },
  );
});

describe('a callback URL', () => {
  const body = (url: string) => `{"workflow_id":"w","callback_url":"${url}","payload":${PAYLOAD}}`;

  test.each([
    ['http://169.254.169.254/'],
    ['http://localhost/hook'],
    ['http://[::1]/'],
    ['http://10.0.0.1/'],
    ['https://user:secret@example.com/'],
  ])('%s is refused', async (url) => {
    const world = setUp();
    const answer = await world.post(body(url));
    expect(answer).toMatchObject({ status: 400, text: expect.stringMatching(/"callback_url: [^\n]+"/) });
    expect(answer.text).not.toContain('secret');
    await expectNothing(world);
  });

  test('may be private where the policy says so', async () => {
    expect((await setUp('private').post(body('http://10.0.0.1/'))).status).toBe(201);
  });
});

describe('against the nodes of the workers', () => {
  const catalogue: Catalogue = {
    classes: {
      Loader: { outputNode: false, required: {}, optional: {}, outputs: ['IMAGE'] },
      Save: { outputNode: true, required: { images: { type: 'IMAGE' } }, optional: {}, outputs: [] },
    },
  };
  const good =
    '{"1":{"class_type":"Loader","inputs":{}},"9":{"class_type":"Save","inputs":{"images":["1",0]}}}';
  const bad = '{"9":{"class_type":"Save","inputs":{}}}';
  const body = (payload: string) => `{"workflow_id":"w","payload":${payload}}`;

  test('what one of them would run is accepted', async () => {
    const { addWorker, post } = setUp();
    await addWorker('pod-1', { classes: {} });
    await addWorker('pod-2', catalogue);
    expect((await post(body(good))).status).toBe(201);
  });

  test('what none would run is refused, node by node', async () => {
    const world = setUp();
    await world.addWorker('pod-1', catalogue);
    const answer = await world.post(body(bad));
    expect(answer.status).toBe(400);
    expect(errorBodySchema.parse(answer.json)).toEqual({
      error: expect.stringContaining('"images"'),
      node_errors: {
        '9': {
          class_type: 'Save',
          errors: [{ type: 'required_input_missing', message: expect.any(String), input: 'images' }],
        },
      },
    });
    await expectNothing(world);
  });

  test('a dangling link is told node by node, without any worker', async () => {
    const answer = await setUp().post(body(bad.replace('{}', '{"images":["7",0]}')));
    expect(answer).toMatchObject({ status: 400, json: { node_errors: { '9': { class_type: 'Save' } } } });
  });

  test.each<[string, (world: World) => Promise<unknown>]>([
    ['no worker is there', async () => undefined],
    ['the nodes of one are unknown', ({ addWorker }) => addWorker('pod-2')],
    [
      'its catalogue is gone',
      async ({ table, addWorker }) => {
        await addWorker('pod-2');
        await table.workers.setCatalogue('pod-2', 'gone');
      },
    ],
    [
      'the registry does not answer',
      async ({ table, addWorker }) => {
        await addWorker('pod-1', catalogue);
        table.fail('workers', 'list', 1);
      },
    ],
    [
      'the store of catalogues does not answer',
      async ({ table, addWorker }) => {
        await addWorker('pod-1', catalogue);
        table.fail('catalogues', 'get', 1);
      },
    ],
  ])('nothing is refused while %s', async (_what, prepare) => {
    const world = setUp();
    await prepare(world);
    expect((await world.post(body(bad))).status).toBe(201);
  });

  test('a slow store of catalogues is not waited for', async () => {
    const world = createApiWorld();
    await world.addWorker('pod-1', catalogue);
    const catalogues = { ...world.catalogues, get: () => new Promise<undefined>(() => undefined) };
    const call = createCaller(createSubmitTaskHandler({ ...world.ports, catalogues }));
    expect((await call('submitTask', { body: body(bad) })).status).toBe(201);
    expect(world.logger.lines).toMatchObject([{ level: 'warn', code: 'task.not-validated' }]);
  });
});

describe('a body', () => {
  test('may be compressed, and keeps every digit', async () => {
    const { workflows, post } = setUp();
    const answer = await post(gzipSync(BODY), { headers: { 'Content-Encoding': 'gzip' } });
    expect(answer.status).toBe(201);
    expect(workflows.workflows.get(uuidOf(1))).toBe(PAYLOAD);
  });

  test.each([
    ['no JSON', '{', {}, 400],
    ['no workflow', '{"workflow_id":"w"}', {}, 400],
    ['empty', '', {}, 400],
    ['no gzip', '{}', { 'content-encoding': 'gzip' }, 400],
    ['too large', `{"pad":"${'x'.repeat(4 * 1024 * 1024)}"}`, {}, 413],
    ['a gzip bomb', gzipSync(Buffer.alloc(16 * 1024 * 1024)), { 'content-encoding': 'gzip' }, 413],
  ])('that is %s is refused in one line and stored nowhere', async (_what, body, headers, status) => {
    const world = setUp();
    const answer = await world.post(body, { headers });
    expect(answer.status).toBe(status);
    expect(Object.keys(answer.json as object)).toEqual(['error']);
    expect(answer.text).not.toMatch(/\n|\\n/);
    await expectNothing(world);
  });
});

describe('a retry', () => {
  const ended = makeAssignedJob({
    status: 'failed',
    completedAt: START,
    priority: 9,
    timeoutSeconds: 77,
    fileCount: 1,
    callbackUrl: 'https://example.com/hook',
    needs: { classes: ['A'], models: [], tags: ['eu'] },
    failure: { reason: 'nodeError', message: 'no' },
  });
  const files = [
    { nodeId: '3', input: 'image', source: { kind: 'url', url: 'https://example.com/a.png' } },
  ] as const;

  const withEnded = async (job = ended) => {
    const world = setUp();
    await world.table.jobs.create(job);
    await world.workflows.put(JOB_ID, PAYLOAD);
    await world.workflows.putFiles(JOB_ID, files);
    return world;
  };

  test('is a new task with the same workflow, files and wishes; the ended one stays as it was', async () => {
    const world = await withEnded();
    const { status, json } = await world.retry(JOB_ID);
    expect(status).toBe(201);
    expect(json).toMatchObject({ id: uuidOf(1), workflow_id: ended.workflowId, status: 'pending' });
    const { priority, timeoutSeconds, callbackUrl, needs, sessionId } = ended;
    expect(world.jobOf(uuidOf(1))).toMatchObject({
      status: 'pending',
      attempt: 0,
      retryCount: 0,
      failure: null,
      retryOf: JOB_ID,
      priority,
      timeoutSeconds,
      callbackUrl,
      needs,
      sessionId,
      fileCount: 1,
    });
    expect(world.workflows.workflows.get(uuidOf(1))).toBe(PAYLOAD);
    expect(world.workflows.files.get(uuidOf(1))).toEqual(files);
    expect(await world.table.allQueue()).toMatchObject([{ jobId: uuidOf(1), priority: 9, needs }]);
    expect(world.jobOf(JOB_ID)).toEqual(ended);
  });

  test('under an Idempotency-Key is one task', async () => {
    const world = await withEnded();
    const headers = { 'idempotency-key': 'again' };
    const first = await world.retry(JOB_ID, { headers });
    expect(await world.retry(JOB_ID, { headers })).toEqual(first);
    expect(world.table.allJobs()).toHaveLength(2);
    const other = await world.post(BODY, { headers });
    expect(other.status).toBe(409);
  });

  test('under an Idempotency-Key, five times at once and after a crash, is one task', async () => {
    const world = await withEnded();
    const headers = { 'idempotency-key': 'again' };
    world.table.fail('queue', 'put', 1);
    expect((await world.retry(JOB_ID, { headers })).status).toBe(500);
    const [claimed] = [...world.table.claims.values()];
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => world.retry(JOB_ID, { headers })));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.json).toMatchObject({ id: claimed?.jobId });
    expect(world.table.allJobs()).toHaveLength(2);
    expect(await world.table.allQueue()).toHaveLength(1);
  });

  test.each(['pending', 'assigned', 'running'] as const)('of a task that is %s is 409', async (status) => {
    const world = await withEnded({ ...ended, status });
    expect(await world.retry(JOB_ID)).toMatchObject({ status: 409, text: expect.stringContaining(status) });
    expect(world.table.allJobs()).toHaveLength(1);
  });

  test('of a task whose workflow is not kept any more is 409', async () => {
    const world = await withEnded();
    world.workflows.workflows.clear();
    expect((await world.retry(JOB_ID)).status).toBe(409);
  });

  test("of another user's task is 404, in the words for one that never was and for what is no id", async () => {
    const world = await withEnded();
    const other = await world.retry(JOB_ID, { userId: 'user-2' });
    expect(other.status).toBe(404);
    for (const id of [uuidOf(404), 'x', '', '__proto__', '../secrets', `${JOB_ID}#`]) {
      expect(await world.retry(id)).toEqual(other);
    }
    expect(world.table.allJobs()).toHaveLength(1);
  });
});
