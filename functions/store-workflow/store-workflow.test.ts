import { describe, expect, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { storedWorkflowSchema, workflowListSchema } from '../../shared-types/index.ts';
import { createApiWorld, createCaller } from '../adapters/test-support/api-world.ts';
import type { ApiCall } from '../adapters/test-support/api-event.ts';
import { START } from '../core/test-support/fixtures.ts';
import { createStoreWorkflowHandler } from './store-workflow.ts';

const WORKFLOW =
  '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":7.0,"m":["3",0]}}}';
const SOUND = WORKFLOW.replace(',"m":["3",0]', '');
const body = (workflow: string, parameters = '{"seed":"3.inputs.seed"}'): string =>
  `{"workflow":${workflow},"parameters":${parameters}}`;

const setUp = () => {
  const world = createApiWorld();
  const call = createCaller(createStoreWorkflowHandler(world.ports));
  const put = (id: string, text: string | Buffer, rest: ApiCall = {}) =>
    call('putWorkflow', { pathParameters: { id }, body: text, ...rest });
  const get = (id: string, userId = 'user-1') => call('getWorkflow', { pathParameters: { id }, userId });
  const remove = (id: string, userId = 'user-1') =>
    call('deleteWorkflow', { pathParameters: { id }, userId });
  const list = async (userId = 'user-1') =>
    workflowListSchema.parse((await call('listWorkflows', { userId })).json).workflows;
  return { ...world, put, get, remove, list };
};

describe('a workflow', () => {
  test('is kept to the last digit', async () => {
    const { put, get } = setUp();
    const kept = await put('portrait', body(SOUND));
    expect(kept.status).toBe(201);
    const view = {
      id: 'portrait',
      parameters: { seed: '3.inputs.seed' },
      created_at: START,
      updated_at: START,
    };
    expect(storedWorkflowSchema.parse(kept.json)).toEqual(view);
    const { status, json, text } = await get('portrait');
    expect(status).toBe(200);
    expect(json).toMatchObject(view);
    expect(text).toContain(`"workflow":${SOUND}`);
  });

  test('is replaced, and remembers when it was made', async () => {
    const { clock, put, get } = setUp();
    await put('portrait', body(SOUND));
    clock.advance(1000);
    const later = clock.iso();
    const again = await put(
      'portrait',
      body(SOUND.replace('7.0', '8.5'), '{"a":["3.inputs.seed","3.inputs.cfg"]}'),
    );
    expect(again).toMatchObject({
      status: 200,
      json: { created_at: START, updated_at: later, parameters: { a: ['3.inputs.seed', '3.inputs.cfg'] } },
    });
    expect((await get('portrait')).text).toContain('"cfg":8.5');
  });

  test('needs no parameters, and may come compressed', async () => {
    const { put } = setUp();
    const headers = { 'content-encoding': 'gzip' };
    const kept = await put('a', gzipSync(`{"workflow":${SOUND}}`), { headers });
    expect(kept).toMatchObject({ status: 201, json: { parameters: {} } });
  });

  test('is listed without its text, and gone once it is removed', async () => {
    const { put, get, remove, list } = setUp();
    for (const id of ['b', 'a.b-c_1']) await put(id, body(SOUND));
    const workflows = await list();
    expect(workflows.map(({ id }) => id)).toEqual(['a.b-c_1', 'b']);
    expect(Object.keys(workflows[0]!)).not.toContain('workflow');
    expect(await remove('b')).toEqual({ status: 204, text: '', json: undefined });
    expect((await remove('b')).status).toBe(404);
    expect((await get('b')).status).toBe(404);
    expect(await list()).toHaveLength(1);
  });
});

describe("another user's workflow", () => {
  test('is 404, in the words for one that never was and for what is no id', async () => {
    const { put, get, remove, list } = setUp();
    await put('portrait', body(SOUND));
    const other = await get('portrait', 'user-2');
    expect(other).toMatchObject({ status: 404, text: expect.stringContaining('"error"') });
    expect(await remove('portrait', 'user-2')).toEqual(other);
    for (const id of ['another', '', '..', '../portrait', '__proto__', 'constructor', 'x'.repeat(129)]) {
      expect(await get(id)).toEqual(other);
      expect(await remove(id)).toEqual(other);
    }
    expect(await list('user-2')).toEqual([]);
  });

  test('is not replaced by one of the same id', async () => {
    const { put, get } = setUp();
    await put('portrait', body(SOUND));
    expect((await put('portrait', body(SOUND.replace('7.0', '1')), { userId: 'user-2' })).status).toBe(201);
    expect((await get('portrait')).text).toContain('"cfg":7.0');
  });
});

describe('what is refused in one line, and kept nowhere', () => {
  test.each([[''], ['.'], ['..'], ['a/b'], ['a b'], ['ü'], ['x'.repeat(129)], ['a#b'], ['a\n']])(
    'the id %j',
    async (id) => {
      const { put, list } = setUp();
      const answer = await put(id, body(SOUND));
      expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('1 to 128') });
      expect(await list()).toEqual([]);
    },
  );

  test.each([
    ['nothing', '', /empty/],
    ['no JSON', '{', /JSON/],
    ['a list', '[]', /object/],
    ['no workflow', '{}', /workflow is missing/],
    ['null', '{"workflow":null}', /object/],
    ['a list as workflow', '{"workflow":[]}', /object/],
    ['a UI export', '{"workflow":{"nodes":[],"links":[],"version":0.4}}', /UI-format export.*Export \(API\)/],
    ['no node', '{"workflow":{}}', /no node/],
    ['a cycle', body(WORKFLOW), /cycle/],
    [
      'a class that cannot be stored',
      body('{"1":{"class_type":"SaveImageWebsocket","inputs":{}}}'),
      /SaveImage/,
    ],
    ['a parameter without target', body(SOUND, '{"x":"9.inputs.y"}'), /"x".*node "9"/],
    ['a parameter that is a number', body(SOUND, '{"x":3}'), /"x"/],
    ['a parameter that is an object', body(SOUND, '{"x":{"__proto__":1}}'), /"x"/],
    ['parameters that are a list', body(SOUND, '[]'), /parameters/],
    ['parameters that are null', body(SOUND, 'null'), /parameters/],
    ['a workflow in the prototype', `{"__proto__":{"workflow":${SOUND}}}`, /workflow is missing/],
  ])('%s', async (_what, text, message) => {
    const { put, list } = setUp();
    const answer = await put('portrait', text);
    expect(answer.status).toBe(400);
    expect((answer.json as { error: string }).error).toMatch(message);
    expect(answer.text).not.toContain('\\n');
    expect(await list()).toEqual([]);
  });

  test('a workflow that would not fit into an answer', async () => {
    const { put, list } = setUp();
    const filled = `{"1":{"class_type":"A","inputs":{"x":"${'x'.repeat(6 * 1024 * 1024)}"}}}`;
    const answer = await put('a', gzipSync(`{"workflow":${filled}}`), {
      headers: { 'content-encoding': 'gzip' },
    });
    expect(answer).toMatchObject({ status: 413, text: expect.stringContaining('5 MB') });
    expect((await put('a', 'x'.repeat(4 * 1024 * 1024 + 1))).status).toBe(413);
    expect(await list()).toEqual([]);
  });
});
