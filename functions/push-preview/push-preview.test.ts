import { describe, expect, test } from '@jest/globals';
import type { PreviewRequest } from '../../shared-types/index.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakePusher } from '../adapters/web-socket/pusher.fake.ts';
import type { Job } from '../core/job.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import {
  createSilentLogger,
  JOB_ID,
  makeAssignedJob,
  PROMPT_ID,
  WORKER_ID,
} from '../core/test-support/fixtures.ts';
import { createPushPreviewHandler } from './push-preview.ts';

const image = Buffer.from('not looked at').toString('base64');

const start = async (overrides: Partial<Job> = {}) => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  const pusher = createFakePusher();
  const logger = createSilentLogger();
  const followers = { connections: ['one', 'two', 'three'], previewConnections: ['one', 'two'] };
  const job = makeAssignedJob({ ...followers, ...overrides });
  await table.jobs.create(job);
  const handle = createPushPreviewHandler({ ...table, pusher, clock, logger });
  const request: PreviewRequest = {
    jobId: JOB_ID,
    attempt: job.attempt,
    workerId: WORKER_ID,
    promptId: PROMPT_ID,
    nodeId: '3',
    mimeType: 'image/png',
    image,
  };
  return { handle, table, pusher, logger, request, job, get: async () => (await table.jobs.get(JOB_ID))! };
};

describe('a picture while sampling', () => {
  test('goes to those who asked for pictures, and changes nothing of the job', async () => {
    const { handle, pusher, request, job, get } = await start();
    expect(await handle(request)).toEqual({ watchers: 2 });
    expect(pusher.sent.map(({ connectionId }) => connectionId)).toEqual(['one', 'two']);
    expect(pusher.sent[0]?.message).toMatchObject({
      type: 'job_preview',
      jobId: JOB_ID,
      promptId: PROMPT_ID,
      attempt: job.attempt,
      sequence: job.revision,
      nodeId: '3',
      mimeType: 'image/png',
      image,
    });
    expect(await get()).toEqual(job);
  });

  test('makes a connection that is gone leave, and counts only who is there', async () => {
    const { handle, pusher, request, get } = await start();
    pusher.gone.add('one');
    expect(await handle(request)).toEqual({ watchers: 1 });
    expect(await get()).toMatchObject({ connections: ['two', 'three'], previewConnections: ['two'] });
  });

  test('that one watcher does not take reaches the others', async () => {
    const { handle, pusher, request } = await start();
    pusher.broken.add('one');
    expect(await handle(request)).toEqual({ watchers: 2 });
    expect(pusher.sent.map(({ connectionId }) => connectionId)).toEqual(['two']);
  });

  test('may be left out, to ask whether anybody watches', async () => {
    const { handle, pusher, request } = await start();
    expect(await handle({ ...request, image: null })).toEqual({ watchers: 2 });
    expect(pusher.sent).toEqual([]);
  });
});

test.each<[string, Partial<Job>, object]>([
  ['of a job that does not exist', {}, { jobId: 'nowhere' }],
  ['of an earlier attempt', { attempt: 2 }, { attempt: 1 }],
  ['of another worker', {}, { workerId: 'pod-9' }],
  ['of another prompt', {}, { promptId: 'other' }],
  ['of an ended job', { status: 'completed' }, {}],
  ['of a job that waits', { status: 'pending' }, {}],
  ['of a job whose outputs are being stored', { storingSince: '2026-11-22T10:00:00.000Z' }, {}],
])('a picture %s reaches nobody', async (_name, overrides, change) => {
  const { handle, pusher, request } = await start(overrides);
  expect(await handle({ ...request, ...change })).toEqual({ watchers: 0 });
  expect(pusher.sent).toEqual([]);
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['a list', []],
  ['a text', 'x'],
  ['an event of the bus', { 'detail-type': 'Job Started', detail: {} }],
])('%s as input is answered, and logged without its content', async (_name, input) => {
  const { handle, logger } = await start();
  expect(await handle(input)).toEqual({ watchers: 0 });
  expect(logger.lines).toMatchObject([{ level: 'warn', code: 'preview.unreadable' }]);
});

test.each<[string, object]>([
  ['a picture of more than 24 KB', { image: Buffer.alloc(24 * 1024 + 1).toString('base64') }],
  ['an empty picture', { image: '' }],
  ['a picture that is no base64', { image: '<svg onload=alert(1)>' }],
  ['a picture type that no browser may be told', { mimeType: 'image/svg+xml' }],
  ['an attempt that is no number', { attempt: '1' }],
  ['a node id of a megabyte', { nodeId: 'x'.repeat(1_000_000) }],
])('%s is refused', async (_name, change) => {
  const { handle, pusher, request, logger } = await start();
  expect(await handle({ ...request, ...change })).toEqual({ watchers: 0 });
  expect(pusher.sent).toEqual([]);
  expect(JSON.stringify(logger.lines)).toBe(
    JSON.stringify([{ level: 'warn', code: 'preview.unreadable', data: { keys: [Object.keys(change)[0]] } }]),
  );
});

test('24 KB are not too much', async () => {
  const { handle, request } = await start();
  const largest = Buffer.alloc(24 * 1024, 1).toString('base64');
  expect(await handle({ ...request, image: largest })).toEqual({ watchers: 2 });
});
