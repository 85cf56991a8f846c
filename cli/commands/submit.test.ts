import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFakeApi, type FakeApi, type Recorded } from '../test-support/fake-api.ts';
import { run } from '../test-support/run.ts';

let api: FakeApi;
let folder: string;

beforeEach(async () => {
  api = await startFakeApi();
  folder = await mkdtemp(join(tmpdir(), 'cli-submit-'));
});
afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true });
  expect(api.violations).toEqual([]);
});

const WORKFLOW =
  '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":8.0,"positive":["6",0]}},' +
  '"6":{"class_type":"CLIPTextEncode","inputs":{"text":"a \\u202efox","clip":["4",1]}}}';

const file = async (text: string | Uint8Array, name = 'workflow.json'): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};
const submissions = (): Recorded[] => api.requests.filter(({ path }) => path === '/api/v1/tasks');
const submit = async (...args: string[]) => run(['submit', ...args], { api: api.url });

describe('the body of a submission', () => {
  test('carries the workflow as the text that it is, and numbers with all their digits', async () => {
    const path = await file(`\ufeff ${WORKFLOW}\n`, 'my workflow.json');
    const { code, out } = await submit(path, '--set', 'seed=18446744073709551614', '--set', 'prompt=2024');
    expect(code).toBe(0);
    expect(submissions()[0]?.body).toBe(
      '{"workflow_id":"my-workflow","payload":' +
        `${WORKFLOW},"inputs":{"3.inputs.seed":18446744073709551614,"6.inputs.text":"2024"}}`,
    );
    const [id = ''] = api.tasks.tasks.keys();
    expect(out).toBe(`${id}  my-workflow\n`);
  });

  test('carries what the options say', async () => {
    const path = await file(WORKFLOW);
    const options = [
      '--priority',
      '10',
      '--max-retries',
      '0',
      '--timeout',
      '60',
      '--session',
      's',
      '--tag',
      'gpu',
    ];
    await submit(path, ...options, '--callback', 'https://a.example/x', '--tag', 'eu', '--name', 'hello');
    expect(JSON.parse(submissions()[0]?.body ?? '')).toMatchObject({
      workflow_id: 'hello',
      priority: 10,
      max_retries: 0,
      timeout_seconds: 60,
      session_id: 's',
      callback_url: 'https://a.example/x',
      tags: ['gpu', 'eu'],
    });
  });

  test('a name without a file is a stored workflow, whose inputs the API knows', async () => {
    await submit('portrait_v2', '--set', 'prompt=a fox', '--set', 'seed=7');
    expect(submissions()[0]?.body).toBe('{"workflow_id":"portrait_v2","inputs":{"prompt":"a fox","seed":7}}');
  });

  test('is compressed above a megabyte, and not below', async () => {
    const padded = (bytes: number) => WORKFLOW.replace('"a \\u202efox"', JSON.stringify('x'.repeat(bytes)));
    await submit(await file(padded(1024 * 1024 - 1000)));
    await submit(await file(padded(1024 * 1024 + 1000)));
    const [small, large] = submissions();
    expect(small?.headers['content-encoding']).toBeUndefined();
    expect(large?.headers['content-encoding']).toBe('gzip');
    expect(large?.bytes).toBeLessThan(100_000);
    expect(large?.body).toContain('18446744073709551615');
  });

  test('a workflow of more than 4 MB compressed is uploaded first, byte by byte', async () => {
    const noise = randomBytes(4_300_000).toString('base64');
    const workflow = WORKFLOW.replace('"a \\u202efox"', JSON.stringify(noise));
    const { code } = await submit(await file(workflow), '--set', 'seed=5');
    expect(code).toBe(0);
    const [id, upload] = [...api.uploads][0] ?? [];
    expect(Buffer.from(upload?.bytes ?? []).toString()).toBe(workflow);
    expect(submissions()[0]?.body).toBe(
      `{"workflow_id":"workflow","payload_file_id":"${id}","inputs":{"3.inputs.seed":5}}`,
    );
  });

  test('@file uploads the file once, however many tasks take it', async () => {
    const face = await file(new Uint8Array([1, 2, 3]), 'face.png');
    const { code } = await submit('portrait_v2', '--set', `image=@${face}`, '--repeat', '3');
    expect(code).toBe(0);
    const [[id, upload] = []] = [...api.uploads];
    expect(api.uploads.size).toBe(1);
    expect(upload).toMatchObject({ type: 'image/png', size: 3 });
    expect([...(upload?.bytes ?? [])]).toEqual([1, 2, 3]);
    expect(submissions()).toHaveLength(3);
    expect(submissions()[2]?.body).toContain(`{"image":{"file_id":"${id}"}}`);
  });
});

describe('an answer that is lost', () => {
  test('is asked for again under the same key, and makes no second task', async () => {
    let lost = 0;
    api.intercept = ({ path }) => (path === '/api/v1/tasks' && (lost += 1) <= 2 ? 'lose' : undefined);
    const { code } = await submit(await file(WORKFLOW), '--repeat', '2');
    expect(code).toBe(0);
    const keys = submissions().map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(4);
    expect(new Set(keys.slice(0, 3)).size).toBe(1);
    expect(keys[3]).not.toBe(keys[0]);
    expect(api.tasks.tasks.size).toBe(2);
  });
});

describe('what is refused', () => {
  test('node errors are told a line a node', async () => {
    const errors = (message: string, more: string[] = []) =>
      [message, ...more].map((text) => ({ type: 'x', message: text }));
    api.intercept = () => ({
      status: 400,
      body: {
        error: 'the workflow has 2 nodes with errors',
        node_errors: {
          '3': { class_type: 'KSampler', errors: errors('steps is missing', ['cfg is missing']) },
          '6\u001b[2J': { class_type: 'CLIP\r\nText', errors: errors('text is \u202emissing') },
        },
      },
    });
    const { code, err, out } = await submit(await file(WORKFLOW));
    expect([code, out]).toEqual([2, '']);
    expect(err).toBe(
      'error: the workflow has 2 nodes with errors\n' +
        '  node 3 (KSampler): steps is missing; cfg is missing\n' +
        '  node 6 [2J (CLIP Text): text is missing\n',
    );
  });

  test.each([
    ['no.json', undefined, 'there is no such file'],
    ['a.json', '{"1":', 'not valid JSON'],
    ['a.json', '{"seed":NaN}', 'not valid JSON'],
    ['a.json', '{},"priority":10', 'not valid JSON'],
    ['a.json', '[]', 'a JSON object'],
    ['a.json', '1', 'a JSON object'],
    ['a.json', '', 'not valid JSON'],
    ['a.json', '{"nodes":[],"links":[]}', 'export it from ComfyUI in API format'],
    ['a.json', new Uint8Array([0xff, 0xfe, 0x7b, 0x00]), 'save it as UTF-8'],
    ['a.json', `{"1":${'['.repeat(100_000)}`, 'not valid JSON'],
  ])('%s with %j: %s', async (name, text, message) => {
    if (text !== undefined) await file(text, name);
    const { code, err } = await submit(join(folder, name));
    expect([code, api.requests.length]).toEqual([2, 0]);
    expect(err).toContain(message);
    expect(err.split('\n')).toHaveLength(2);
  });

  test('nothing is sent when the last of several workflows is wrong', async () => {
    const { code } = await submit(await file(WORKFLOW), await file('[]', 'b.json'));
    expect([code, api.requests.length]).toEqual([2, 0]);
  });

  test('nothing is uploaded when a file is missing or empty, or there is no such input', async () => {
    const good = await file(WORKFLOW);
    const empty = await file('', 'empty.png');
    for (const set of ['prompt=@nowhere.png', `prompt=@${empty}`, 'nothing=1', '=x'])
      expect((await submit(good, '--set', set)).code).toBe(2);
    expect(api.requests).toEqual([]);
  });

  test('a stored workflow has its name already', async () => {
    expect((await submit('portrait_v2', '--name', 'x')).err).toContain('--name is for files');
  });

  test('an upload that is refused ends in 4, one that fails for a while does not', async () => {
    const face = await file('x', 'face.png');
    api.intercept = ({ path }) =>
      path === '/api/v1/files'
        ? {
            status: 201,
            body: {
              file_id: crypto.randomUUID(),
              upload_url: `${api.url}/uploads/none`,
              headers: {},
              expires_at: '2099-01-01T00:00:00Z',
            },
          }
        : undefined;
    const { code, err } = await submit('portrait_v2', '--set', `image=@${face}`);
    expect([code, err]).toEqual([4, 'error: face.png: the upload was answered 403\n']);
  });
});

describe('for scripts', () => {
  test('--json prints one document', async () => {
    const { code, out, err } = await submit(await file(WORKFLOW), '--json', '--repeat', '2');
    const ids = [...api.tasks.tasks.keys()];
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toEqual({ tasks: ids.map((id) => ({ id, workflow_id: 'workflow' })) });
  });

  test('what was submitted before a failure is told', async () => {
    api.intercept = () => (api.tasks.tasks.size === 1 ? { status: 413, body: { error: 'no' } } : undefined);
    const { code, out } = await submit(await file(WORKFLOW), '--json', '--repeat', '3');
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({
      tasks: [{ id: [...api.tasks.tasks.keys()][0], workflow_id: 'workflow' }],
    });
  });
});
