/** Ending one prompt and no other, on releases with and without a route for it. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { systemClock as clock } from '../system.ts';
import { closedEndpoint, recording, stopServers, type Received } from '../test-support/http-server.ts';
import { createComfyUi } from './comfyui.ts';

const comfyUi = createComfyUi({ addressPolicy: 'any', clock, timeoutMs: 5000 });
const ID = '7b8f2c52-2f5c-4e57-8f4b-2d6c0a3b9a01';
const OTHER = '7b8f2c52-2f5c-4e57-8f4b-2d6c0a3b9a02';

afterEach(stopServers);

const item = (promptId: string) => [0, promptId, {}, {}, []];

interface Pod {
  running: string[];
  pending: string[];
}

/** A release before 0.26, as far as it is asked here. `meanwhile` runs before each /queue is answered. */
const oldRelease = async (pod: Pod, meanwhile: () => void = () => undefined) => {
  const interrupted: unknown[] = [];
  const answer = ({ method, path, body }: Received): [number, string] => {
    if (path === '/queue' && method === 'GET') {
      meanwhile();
      const { running, pending } = pod;
      return [200, JSON.stringify({ queue_running: running.map(item), queue_pending: pending.map(item) })];
    }
    if (path === '/queue') {
      const { delete: ids } = JSON.parse(body) as { delete: string[] };
      pod.pending = pod.pending.filter((id) => !ids.includes(id));
      return [200, ''];
    }
    if (path !== '/interrupt') return [404, '404: Not Found'];
    // Some releases stop whatever runs.
    interrupted.push(JSON.parse(body));
    pod.running = [];
    return [200, ''];
  };
  return { ...(await recording(answer)), interrupted };
};

test('one step where ComfyUI has a route for it', async () => {
  const { endpoint, received } = await recording(() => [200, '{"cancelled":true}']);
  expect(await comfyUi.endPrompt(endpoint, ID)).toBe('asked');
  expect(received.map(({ method, path }) => `${method} ${path}`)).toEqual([`POST /api/jobs/${ID}/cancel`]);
});

test.each(['{"cancelled":false}', '<html>', '', '[]'])(
  'the old way where the route answers %j: the prompt may still wait',
  async (answer) => {
    const { endpoint, received } = await recording(({ method, path }) => {
      if (path.endsWith('/cancel')) return [200, answer];
      if (method === 'GET') return [200, JSON.stringify({ queue_running: [], queue_pending: [item(ID)] })];
      return [200, ''];
    });
    expect(await comfyUi.endPrompt(endpoint, ID)).toBe('asked');
    expect(received.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `POST /api/jobs/${ID}/cancel`,
      'POST /queue',
      'GET /queue',
    ]);
  },
);

describe('without the route', () => {
  test('a prompt in the queue is deleted, and nothing is interrupted', async () => {
    const pod = { running: [OTHER], pending: ['x', ID] };
    const { endpoint, interrupted } = await oldRelease(pod);
    expect(await comfyUi.endPrompt(endpoint, ID)).toBe('asked');
    expect(pod).toEqual({ running: [OTHER], pending: ['x'] });
    expect(interrupted).toEqual([]);
  });

  test('one that runs alone is interrupted, by its id', async () => {
    const pod = { running: [ID], pending: [OTHER] };
    const { endpoint, interrupted } = await oldRelease(pod);
    expect(await comfyUi.endPrompt(endpoint, ID)).toBe('asked');
    expect(interrupted).toEqual([{ prompt_id: ID }]);
    expect(pod.pending).toEqual([OTHER]);
  });

  test.each<[string, string[]]>([
    ['another runs', [OTHER]],
    ['another runs beside it', [OTHER, ID]],
    ['nothing runs', []],
  ])('nobody is interrupted while %s', async (_what, running) => {
    const { endpoint, interrupted } = await oldRelease({ running, pending: [] });
    expect(await comfyUi.endPrompt(endpoint, ID)).toBe('asked');
    expect(interrupted).toEqual([]);
  });

  test('one that ends while it is asked about takes nobody with it', async () => {
    const pod: Pod = { running: [ID], pending: [OTHER] };
    const { endpoint, interrupted } = await oldRelease(pod, () => {
      pod.running = [OTHER];
      pod.pending = [];
    });
    await comfyUi.endPrompt(endpoint, ID);
    expect(interrupted).toEqual([]);
  });

  test('an id of any characters stays within its path', async () => {
    const { endpoint, received } = await oldRelease({ running: [], pending: [] });
    await comfyUi.endPrompt(endpoint, '../../free?x=1#y');
    expect(received[0]?.path).toBe('/api/jobs/..%2F..%2Ffree%3Fx%3D1%23y/cancel');
  });
});

describe('a worker that cannot be asked', () => {
  test('because nobody listens', async () => {
    expect(await comfyUi.endPrompt(await closedEndpoint(), ID)).toBe('unreachable');
  });

  test.each([
    [500, 'no'],
    [302, ''],
    [403, 'no'],
  ])('because it answers HTTP %d', async (status, body) => {
    const { endpoint } = await recording(() => [status, body, { location: 'http://127.0.0.1:1/' }]);
    expect(await comfyUi.endPrompt(endpoint, ID)).toBe('unreachable');
  });

  test('because its queue does not read', async () => {
    const { endpoint, received } = await recording(({ method, path }) =>
      path === '/queue' ? [200, method === 'GET' ? '<html>' : ''] : [404, ''],
    );
    expect(await comfyUi.endPrompt(endpoint, ID)).toBe('unreachable');
    expect(received.map(({ path }) => path)).not.toContain('/interrupt');
  });

  test('because its address is not allowed', async () => {
    const careful = createComfyUi({ addressPolicy: 'private', clock, timeoutMs: 5000 });
    const { endpoint, received } = await recording(() => [200, '']);
    expect(await careful.endPrompt(endpoint, ID)).toBe('unreachable');
    expect(received).toEqual([]);
  });
});
