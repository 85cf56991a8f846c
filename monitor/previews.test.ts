import { afterEach, describe, expect, test } from '@jest/globals';
import { MAX_PREVIEW_BYTES, type PreviewRequest } from '../shared-types/index.ts';
import { openBench, until, type Bench } from './test-support/monitor-bench.ts';
import { jpegOf, recordedPreviews } from './test-support/pictures.ts';

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const nameless = (picture: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 1]), picture]);

/** A job that was played up to its end, which is held back. */
const runToTheEnd = async (env: Record<string, string>) => {
  const opened = await openBench(
    'text-to-image',
    { pauseBefore: (text) => text.includes('execution_success') },
    env,
  );
  bench = opened;
  const requests: PreviewRequest[] = [];
  const monitor = await opened.start(true, {
    previewFunction: async (request) => {
      requests.push(request);
      return 1;
    },
  });
  const promptId = await opened.submit({ jobId: 'job-1', attempt: 1 });
  const has = (type: string) => () => opened.eventsOf('job-1').some(({ detailType }) => detailType === type);
  await until('the job runs', has('Job Started'));
  await until('all but its end was played', () => opened.comfy.isPaused());
  const pictures = () => requests.filter(({ image }) => image !== null);
  const finish = async (): Promise<string> => {
    opened.comfy.resume();
    await until('the job ended', has('Job Completed'));
    return JSON.stringify(opened.bus.accepted);
  };
  return { comfy: opened.comfy, promptId, metrics: monitor.metrics, requests, pictures, finish };
};

describe('previews of a ComfyUI as it is by default, 38 KB each', () => {
  test('reach the watcher in 24 KB, and never the bus', async () => {
    const { promptId, pictures, metrics, finish } = await runToTheEnd({ PREVIEW_FUNCTION_NAME: 'f' });
    await until('a picture was sent', () => pictures().length > 0);
    const [{ image, ...about } = { image: '' }] = pictures();
    expect(about).toEqual({
      jobId: 'job-1',
      attempt: 1,
      workerId: 'bench-1',
      promptId,
      nodeId: '3',
      mimeType: 'image/jpeg',
    });
    const sent = Buffer.from(image ?? '', 'base64');
    expect(sent.length).toBeLessThanOrEqual(MAX_PREVIEW_BYTES);
    expect(sent.length).toBeGreaterThan(MAX_PREVIEW_BYTES / 4);
    const events = await finish();
    expect(events).not.toContain('/9j/4AAQSkZJRg');
    // Of eight that came in a moment, only those that were sent were worked on.
    expect(metrics.value('previews_shrunk_total')).toBe(metrics.value('previews_sent_total'));
    expect(metrics.value('previews_sent_total')).toBeLessThan(recordedPreviews('text-to-image').length);
    expect(metrics.value('previews_dropped_total', 'tooLarge')).toBe(0);
  });

  test('without a name, of the old kind, are of the one job that runs', async () => {
    const { comfy, promptId, pictures, finish } = await runToTheEnd({ PREVIEW_FUNCTION_NAME: 'f' });
    await until('a named picture was sent', () => pictures().length > 0);
    comfy.broadcast(nameless(jpegOf(512)));
    await until('the nameless one was sent, too', () => pictures().some(({ nodeId }) => nodeId === null));
    expect(pictures().at(-1)).toMatchObject({ promptId, jobId: 'job-1', mimeType: 'image/jpeg' });
    await finish();
  });

  test('that cannot be decoded are counted, and the job goes on', async () => {
    const { comfy, metrics, finish } = await runToTheEnd({ PREVIEW_FUNCTION_NAME: 'f' });
    const before = metrics.value('previews_dropped_total', 'undecodable');
    comfy.broadcast(nameless(Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(60_000, 9)])));
    await until('it was counted', () => metrics.value('previews_dropped_total', 'undecodable') > before);
    expect(await finish()).toContain('Job Completed');
  });

  test('are not even looked at where no function takes them', async () => {
    const { requests, metrics, finish } = await runToTheEnd({});
    await finish();
    expect(metrics.value('notices_total', 'previewFrames')).toBe(8);
    expect(metrics.value('previews_dropped_total')).toBe(0);
    expect(requests).toEqual([]);
  });
});
