import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startPushServer, type PushServer } from '../test-support/push-server.ts';
import { JOB_ID, taskOf } from '../test-support/job-pushes.ts';
import { createPipelineClient } from './pipeline-client.ts';
import type { PipelineClient } from './client-contract.ts';

let server: PushServer;
let client: PipelineClient;

beforeEach(async () => {
  server = await startPushServer();
  client = createPipelineClient({ apiUrl: `${server.apiUrl}//`, webSocketUrl: server.webSocketUrl });
});
afterEach(async () => {
  client.close();
  await server.close();
});

const answerWith = (status: number, body: unknown): void => {
  server.onRequest = () => ({ status, body });
};
const submission = { workflow_id: 'w', priority: 5, payload: '{}' };

describe('submitting', () => {
  test('sends the workflow as it is written: no digit of a seed is lost', async () => {
    answerWith(201, {
      id: JOB_ID,
      workflow_id: 'w',
      status: 'pending',
      created_at: '2026-11-22T10:00:00.000Z',
    });
    const payload = '{ "3": {"inputs": {"seed": 18446744073709551615, "cfg": 8.0}} }';
    const answer = await client.submitTask({ ...submission, payload, session_id: 's' });
    expect(answer.id).toBe(JOB_ID);
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/api/v1/tasks' });
    expect(request?.body).toBe(`{"workflow_id":"w","priority":5,"session_id":"s","payload":${payload}}`);
  });

  test.each(['', 'null', '[]', '{', '"x"', '{} , "priority": 9'])(
    'refuses %j as a workflow before anything is sent',
    async (payload) => {
      await expect(client.submitTask({ ...submission, payload })).rejects.toMatchObject({
        code: 'badPayload',
      });
      expect(server.requests).toHaveLength(0);
    },
  );
});

describe('what is asked of a task', () => {
  test('a stored workflow is submitted with inputs, as an object or as text whose digits stay', async () => {
    answerWith(201, { id: JOB_ID });
    await client.submitTask({ workflow_id: 'stored', inputs: { prompt: 'a "cat"' }, tags: ['gpu'] });
    await client.submitTask({ workflow_id: 'stored', inputs: '{"seed":18446744073709551615}' });
    expect(server.requests.map(({ body }) => body)).toEqual([
      '{"workflow_id":"stored","inputs":{"prompt":"a \\"cat\\""},"tags":["gpu"]}',
      '{"workflow_id":"stored","inputs":{"seed":18446744073709551615}}',
    ]);
  });

  test('it is cancelled', async () => {
    answerWith(202, taskOf({ status: 'running', cancel_requested: true }));
    expect(await client.cancelTask(JOB_ID)).toMatchObject({ id: JOB_ID, status: 'running' });
    expect(server.requests).toMatchObject([{ method: 'DELETE', path: `/api/v1/tasks/${JOB_ID}` }]);
  });

  test('it is queued again, under a new id', async () => {
    answerWith(201, { id: 'new', status: 'pending', workflow_id: 'w', created_at: '' });
    expect((await client.retryTask(JOB_ID)).id).toBe('new');
    expect(server.requests).toMatchObject([{ method: 'POST', path: `/api/v1/tasks/${JOB_ID}/retry` }]);
  });

  test('place and time come with it', async () => {
    answerWith(200, taskOf({ status: 'pending', queue_position: 3, eta_seconds: 12.5 }));
    const eta = { lowSeconds: 12.5, highSeconds: 12.5 };
    expect(await client.getTask(JOB_ID)).toMatchObject({ queuePosition: 3, eta });
  });
});

describe('refusals', () => {
  test.each([
    [400, 'badRequest', false],
    [401, 'unauthorized', false],
    [403, 'unauthorized', false],
    [404, 'notFound', false],
    [409, 'conflict', false],
    [413, 'tooLarge', false],
    [429, 'tooMany', true],
    [500, 'server', true],
    [503, 'server', true],
  ])('%i is %s', async (status, code, retryable) => {
    answerWith(status, { error: 'say what to do' });
    const expected = { name: 'ClientError', code, retryable, status, message: 'say what to do' };
    await expect(client.getTask(JOB_ID)).rejects.toMatchObject(expected);
  });

  test("a gateway's own answer is read too, and a page of HTML is not shown", async () => {
    answerWith(429, { message: 'Too Many Requests' });
    await expect(client.getTask(JOB_ID)).rejects.toThrow('Too Many Requests');
    answerWith(502, '<html><h1>Bad gateway</h1></html>');
    await expect(client.getTask(JOB_ID)).rejects.toThrow('The task API answered 502');
  });

  test.each(['<html>', '{}', '[]', 'null', ''])('200 with %j is no task', async (body) => {
    answerWith(200, body);
    await expect(client.getTask(JOB_ID)).rejects.toMatchObject({ code: 'badAnswer' });
    await expect(client.submitTask(submission)).rejects.toMatchObject({ code: 'badAnswer' });
  });

  test('a server that is not there is a network error that keeps its cause', async () => {
    await server.close();
    await expect(client.getTask(JOB_ID)).rejects.toMatchObject({
      code: 'network',
      retryable: true,
      cause: expect.anything(),
    });
    server = await startPushServer();
  });
});

test('an id is put into the path as one segment', async () => {
  answerWith(200, taskOf());
  await client.getTask('../workers?x=1');
  expect(server.requests[0]?.path).toBe('/api/v1/tasks/..%2Fworkers%3Fx%3D1');
});
