import { describe, expect, test } from '@jest/globals';
import { errorBodySchema } from '../../../shared-types/task-api.ts';
import { createPipelineApi } from './pipeline-api.ts';
import { ApiError } from './pipeline-error.ts';

const ID = '0a8a9c1e-3f0c-4a57-8b53-0a3f7a6a2f11';

interface Call {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: unknown;
}
/** Answers in turn; an Error stands for a network that is down. */
const setUp = (...answers: (readonly [status: number, body: string] | Error)[]) => {
  const calls: Call[] = [];
  let unauthorized = 0;
  const send = ((url: string, init: RequestInit = {}) => {
    calls.push({ url, method: init.method ?? 'GET', headers: new Headers(init.headers), body: init.body });
    const answer = answers[calls.length - 1] ?? answers.at(-1)!;
    if (answer instanceof Error) return Promise.reject(answer);
    return Promise.resolve(new Response(answer[0] === 204 ? null : answer[1], { status: answer[0] }));
  }) as typeof fetch;
  const api = createPipelineApi({
    apiUrl: 'http://x/',
    token: 'secret',
    fetch: send,
    onUnauthorized: () => (unauthorized += 1),
  });
  return { api, calls, unauthorized: () => unauthorized };
};
const submission = { workflowId: 'w', payload: '{"1":{"inputs":{"seed":18446744073709551615}}}' };

describe('submitting', () => {
  test('sends the workflow with all its digits, the files, the key and the token', async () => {
    const { api, calls } = setUp([201, `{"id":"${ID}"}`]);
    expect(await api.submit({ ...submission, inputs: { '1.inputs.image': { file_id: 'f' } } }, 'key-1')).toBe(
      ID,
    );
    expect(calls[0]).toMatchObject({
      url: 'http://x/api/v1/tasks',
      body: `{"workflow_id":"w","inputs":{"1.inputs.image":{"file_id":"f"}},"payload":${submission.payload}}`,
    });
    expect(calls[0]!.headers.get('idempotency-key')).toBe('key-1');
    expect(calls[0]!.headers.get('authorization')).toBe('Bearer secret');
  });

  test('a lost answer is asked for once more, with the same key', async () => {
    const { api, calls } = setUp(new TypeError('down'), [201, `{"id":"${ID}"}`]);
    expect(await api.submit(submission, 'same')).toBe(ID);
    expect(calls.map(({ headers }) => headers.get('idempotency-key'))).toEqual(['same', 'same']);
  });

  test('a network that stays down is told in one line', async () => {
    const { api } = setUp(new TypeError('down'));
    await expect(api.submit(submission, 'k')).rejects.toMatchObject({
      code: 'network',
      retryable: true,
      message: expect.stringMatching(/task API/),
    });
  });

  test('a refusal names node and input', async () => {
    const body = {
      error: 'two things',
      node_errors: {
        '3': {
          class_type: 'KSampler',
          errors: [{ type: 'value_bigger_than_max', message: 'too big', input: 'steps' }],
        },
      },
    };
    const { api } = setUp([400, JSON.stringify(errorBodySchema.parse(body))]);
    await expect(api.submit(submission, 'k')).rejects.toMatchObject({
      code: 'refused',
      status: 400,
      message: 'two things',
      problems: [
        {
          nodeId: '3',
          classType: 'KSampler',
          input: 'steps',
          type: 'value_bigger_than_max',
          message: 'too big',
        },
      ],
    });
  });

  test.each([
    '',
    'no JSON',
    '[]',
    '{"error":5,"node_errors":[1]}',
    '{"node_errors":{"3":null,"4":{"errors":[5,{}]}}}',
  ])('a refusal that reads %j is still one line', async (body) => {
    const error = await setUp([400, body])
      .api.submit(submission, 'k')
      .catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(ApiError);
    expect((error as ApiError).message).toBe('The task API answered 400');
  });

  test('401 asks for a key', async () => {
    const { api, unauthorized } = setUp([401, '{"message":"Unauthorized"}']);
    await expect(api.submit(submission, 'k')).rejects.toMatchObject({ code: 'unauthorized' });
    expect(unauthorized()).toBe(1);
  });
});

describe('reading', () => {
  const task = `{"id":"${ID}","workflow_id":"w","status":"failed","attempts":[{"attempt":1,"status":"failed","error":"e","reason":"nodeError","node_id":"3"},5],"payload":{"1":{"seed":18446744073709551615}}}`;

  test('a task keeps the digits of its workflow', async () => {
    const details = await setUp([200, task]).api.getTask(ID);
    expect(details.payload).toBe('{"1":{"seed":18446744073709551615}}');
    expect(details.attempts).toEqual([
      expect.objectContaining({ attempt: 1, reason: 'nodeError', nodeId: '3' }),
    ]);
  });

  test('a workflow that is kept elsewhere is fetched from there', async () => {
    const large = `{"id":"${ID}","workflow_id":"w","status":"completed","payload":null,"payload_url":"http://s3/x"}`;
    const { api, calls } = setUp([200, large], [200, '{"1":{}}']);
    expect(await api.getPayload(await api.getTask(ID))).toBe('{"1":{}}');
    expect(calls[1]!.url).toBe('http://s3/x');
    // The address is signed; the key is nothing that the storage should see.
    expect(calls[1]!.headers.has('authorization')).toBe(false);
  });

  test('a stored workflow comes as text, with its parameters', async () => {
    const body = `{"id":"a","parameters":{"p":"1.inputs.x","q":["1.inputs.y",5],"r":7},"workflow":{"1":{"seed":18446744073709551615}}}`;
    expect(await setUp([200, body]).api.storedWorkflow('a')).toEqual({
      id: 'a',
      parameters: { p: '1.inputs.x', q: ['1.inputs.y'] },
      text: '{"1":{"seed":18446744073709551615}}',
    });
  });

  test.each(['', '{}', '[]', '{"tasks":5}', 'null'])('%j is no list of tasks', async (body) => {
    await expect(setUp([200, body]).api.listTasks({})).rejects.toMatchObject({ code: 'badAnswer' });
  });

  test('rows that cannot be read are left out of a list', async () => {
    const { tasks } = await setUp([
      200,
      `{"tasks":[5,{"id":"a"},{"id":"b","status":"running","progress":"x"}]}`,
    ]).api.listTasks({ status: 'running', limit: 3, cursor: 'a&b' });
    expect(tasks).toMatchObject([{ id: 'b', progress: 0 }]);
  });

  test('workers, timeline and queue', async () => {
    expect(
      await setUp([
        200,
        '{"workers":[{"id":"p","status":"idle","tags":["a",5],"comfyui_version":"1"}]}',
      ]).api.workers(),
    ).toMatchObject([{ id: 'p', tags: ['a'], comfyUiVersion: '1', queuedTasks: 0 }]);
    expect(
      await setUp([
        200,
        '{"entries":[{"at":"never"},{"at":"2026-01-01T00:00:00Z","what":"submitted"}]}',
      ]).api.timeline(ID),
    ).toHaveLength(1);
    expect(await setUp([200, '{"paused":true}']).api.queue()).toEqual({ paused: true, allPaused: false });
  });
});

test('a file is announced, then sent to the storage with its headers alone', async () => {
  const made = '{"file_id":"f","upload_url":"http://s3/put","headers":{"content-type":"image/png","x":5}}';
  const { api, calls } = setUp([201, made], [200, '']);
  expect(await api.upload(new File(['abc'], 'a.png', { type: 'image/png' }))).toBe('f');
  expect(calls[0]!.body).toBe('{"filename":"a.png","content_type":"image/png","size":3}');
  expect([...calls[1]!.headers]).toEqual([['content-type', 'image/png']]);
  await expect(setUp([201, made], [403, '']).api.upload(new File(['a'], 'b.png'))).rejects.toThrow(
    /refused b\.png \(403\)/,
  );
});
