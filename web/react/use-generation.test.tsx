import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { useEffect } from 'react';
import { WebSocket } from 'ws';
import type { PipelineClient } from '../client/client-contract.ts';
import { createPipelineClient } from '../client/pipeline-client.ts';
import { JOB_ID, pushOf, snapshotOf } from '../test-support/job-pushes.ts';
import { mountStrictly } from '../test-support/mounted.ts';
import { startPushServer, type PushServer } from '../test-support/push-server.ts';
import { until } from '../test-support/until.ts';
import { useGeneration, type Generation, type UseGenerationOptions } from './use-generation.ts';

let server: PushServer;
let client: PipelineClient;
let mounted: (() => void)[] = [];

const newClient = (): PipelineClient => {
  const { apiUrl, webSocketUrl } = server;
  const timing = { tickMs: 2, reconnectBaseMs: 2, reconnectCapMs: 5, forgetAfterMs: 2 };
  return createPipelineClient({ apiUrl, webSocketUrl, WebSocket, timing });
};

beforeEach(async () => {
  server = await startPushServer();
  server.onRequest = () => ({ status: 201, body: { id: JOB_ID } });
  server.onSubscribe = (jobId) => [snapshotOf({ jobId })];
  client = newClient();
  const kept = new Map<string, string>();
  const sessionStorage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
  Object.assign(globalThis, { sessionStorage });
});
afterEach(async () => {
  for (const unmount of mounted) unmount();
  mounted = [];
  client.close();
  await server.close();
});

interface Shown {
  readonly now: () => Generation;
  /** Every answer, oldest first. */
  readonly all: readonly Generation[];
  readonly leave: () => void;
}

/** A mounted hook, and what it answered in its last render. */
const shown = async (options: Partial<UseGenerationOptions> = {}): Promise<Shown> => {
  const all: Generation[] = [];
  const Probe = (): null => {
    const generation = useGeneration({ client, ...options });
    useEffect(() => {
      all.push(generation);
    });
    return null;
  };
  const leave = mountStrictly(Probe);
  mounted.push(leave);
  await until(() => all.length > 0);
  return { now: () => all.at(-1)!, all, leave };
};

const submission = { workflow_id: 'w', payload: '{}' };

describe('in StrictMode', () => {
  test('one generation opens one socket and subscribes once, and shows every step', async () => {
    const { now } = await shown();
    await now().generate(submission);
    await until(() => now().status === 'running');
    expect(now()).toMatchObject({ currentNode: 'K-Sampler', eta: { lowSeconds: 4, highSeconds: 7 } });
    expect(now().nodes).toHaveLength(1);
    server.push(pushOf('job_completed', { sequence: 4 }));
    await until(() => now().status === 'completed');
    expect(server.handshakes).toHaveLength(1);
    expect(server.received.filter((text) => text.includes('"subscribe"'))).toHaveLength(1);
    expect(server.requests).toHaveLength(1);
  });

  test('two hooks on one client share its socket and show their own jobs', async () => {
    const first = await shown({ storageKey: 'first' });
    const second = await shown({ storageKey: 'second' });
    first.now().resume('a');
    second.now().resume('b');
    await until(() => first.now().status === 'running' && second.now().status === 'running');
    server.push(pushOf('job_progress', { jobId: 'b', sequence: 4, overallPercentage: 80 }));
    await until(() => second.now().progress.percentage === 80);
    expect([first.now().jobId, second.now().jobId]).toEqual(['a', 'b']);
    expect(first.now().progress.percentage).toBe(67.9);
    expect(server.handshakes).toHaveLength(1);
  });

  test('a refresh goes on at the same percentage, and never shows less', async () => {
    const before = await shown();
    await before.now().generate(submission);
    await until(() => before.now().progress.percentage === 67.9);
    before.leave();
    client.close();
    client = newClient();
    const after = await shown();
    await until(() => after.now().status === 'running');
    const known = after.all.filter(({ status }) => status !== 'idle' && status !== 'resuming');
    expect(new Set(known.map(({ progress }) => progress.percentage))).toEqual(new Set([67.9]));
    expect(after.now().jobId).toBe(JOB_ID);
    expect(server.requests).toHaveLength(1);
  });

  test('who leaves the page leaves the job to itself, and the server hears it', async () => {
    const { now, leave } = await shown();
    now().resume(JOB_ID);
    await until(() => now().status === 'running');
    leave();
    await until(() => server.received.some((text) => text.includes('"unsubscribe"')));
    expect(server.requests).toHaveLength(0);
  });
});
