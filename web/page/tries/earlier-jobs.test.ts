import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import type { PipelineClient } from '../../client/client-contract.ts';
import { createPipelineClient } from '../../client/pipeline-client.ts';
import { retryWithSmallerSize } from '../../react/smaller-size.ts';
import { pushOf, snapshotOf } from '../../test-support/job-pushes.ts';
import { startPushServer, type PushServer } from '../../test-support/push-server.ts';
import { until } from '../../test-support/until.ts';
import { createEarlierJobs, type EarlierJobs } from './earlier-jobs.ts';

const payload = '{"5":{"class_type":"EmptyLatentImage","inputs":{"width":1024,"height":1024}}}';
const outOfMemory = { reason: 'outOfMemory', message: 'CUDA out of memory' } as const;

let server: PushServer;
let client: PipelineClient;
let followUps: string[][];
let asked: string[];
let earlier: EarlierJobs;

beforeEach(async () => {
  server = await startPushServer();
  const { apiUrl, webSocketUrl } = server;
  const timing = { tickMs: 2, reconnectBaseMs: 2, reconnectCapMs: 5, forgetAfterMs: 2 };
  client = createPipelineClient({ apiUrl, webSocketUrl, WebSocket, timing });
  server.onSubscribe = (jobId) => [
    snapshotOf({ jobId, sequence: 1, status: 'pending', progress: null, attempt: 0 }),
  ];
  [followUps, asked] = [[], []];
  earlier = createEarlierJobs({
    client,
    policy: retryWithSmallerSize,
    submissionOf: (jobId) => (asked.push(jobId), Promise.resolve({ workflow_id: 'w', payload })),
    onFollowUp: (...ids) => followUps.push(ids),
  });
});
afterEach(async () => {
  client.close();
  await server.close();
});

const waits = (jobId: string): Promise<void> => until(() => client.getState(jobId)?.sequence === 1);

test('a job that is no longer shown is tried smaller, time and again, until it is done', async () => {
  let made = 0;
  server.onRequest = () => ({ status: 201, body: { id: `smaller-${(made += 1)}` } });
  earlier.lookAfter('first');
  for (const jobId of ['first', 'smaller-1']) {
    await waits(jobId);
    server.push(pushOf('job_failed', { jobId, sequence: 2, ...outOfMemory }));
  }
  await waits('smaller-2');
  expect(followUps).toEqual([
    ['first', 'smaller-1'],
    ['smaller-1', 'smaller-2'],
  ]);
  expect(server.requests.map(({ body }) => /"width":(\d+)/.exec(body)?.[1])).toEqual(['768', '576']);
  server.push(pushOf('job_completed', { jobId: 'smaller-2', sequence: 2 }));
  // Nobody follows it any more, so the client forgets it.
  await until(() => client.getState('smaller-2') === undefined);
});

test('another failure is left as it is, and the job is let go of', async () => {
  earlier.lookAfter('first');
  await waits('first');
  server.push(pushOf('job_failed', { jobId: 'first', sequence: 2 }));
  await until(() => client.getState('first') === undefined);
  expect([server.requests, followUps]).toEqual([[], []]);
});

test('a job that is handed over twice is looked after once', async () => {
  server.onRequest = () => ({ status: 201, body: { id: 'smaller' } });
  earlier.lookAfter('first');
  earlier.lookAfter('first');
  expect(asked).toEqual(['first']);
  await waits('first');
  server.push(pushOf('job_failed', { jobId: 'first', sequence: 2, ...outOfMemory }));
  await waits('smaller');
  expect(server.requests).toHaveLength(1);
});
