import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from '@jest/globals';
import { MAX_PREVIEW_BYTES, type PreviewRequest } from '../../shared-types/index.ts';
import type { BinaryFrame } from '../core/monitor-input.ts';
import type { PromptOwner } from '../core/own-jobs.ts';
import { MonitorError } from '../monitor-error.ts';
import { until } from '../test-support/monitor-bench.ts';
import { jpegOf } from '../test-support/pictures.ts';
import { createMetrics } from './metrics.ts';
import type { ShrinkPicture } from './picture-shrinker.ts';
import { createPreviewFunction } from './preview-function.ts';
import { PreviewSender, type CallPreviewFunction } from './preview-sender.ts';

const JPEG = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.from('bytes')]);
const named: BinaryFrame = { kind: 'previewWithMetadata', promptId: 'p', nodeId: '3' };
const unnamed: BinaryFrame = { kind: 'preview', imageType: 'image/jpeg' };

let sender: PreviewSender | undefined;
afterEach(async () => sender?.close());

const start = (
  call: CallPreviewFunction,
  onlyPrompt: () => string | undefined = () => undefined,
  shrink: ShrinkPicture = () => Promise.reject(new Error('must not be called')),
) => {
  const metrics = createMetrics();
  const warnings: object[] = [];
  const owner: PromptOwner = { kind: 'job', jobId: 'job-1', attempt: 2 };
  let now = 1_000_000;
  const created = new PreviewSender({
    workerId: 'pod-1',
    call,
    shrink,
    ownerOf: () => owner,
    onlyPrompt,
    metrics,
    log: { warn: (fields) => void warnings.push(fields) },
    now: () => now,
  });
  sender = created;
  return { sender: created, metrics, warnings, pass: (ms: number) => (now += ms) };
};

describe('a preview sender', () => {
  test('asks, then sends the picture with all that the control plane compares', async () => {
    const requests: PreviewRequest[] = [];
    const { sender: it, metrics } = start(async (request) => {
      requests.push(request);
      return 1;
    });
    it.offer(named, JPEG);
    await until('the picture was sent', () => requests.length === 2);
    const about = { jobId: 'job-1', attempt: 2, workerId: 'pod-1', promptId: 'p', nodeId: '3' };
    expect(requests).toEqual([
      { ...about, mimeType: 'image/jpeg', image: null },
      { ...about, mimeType: 'image/jpeg', image: JPEG.toString('base64') },
    ]);
    expect([metrics.value('preview_questions_total'), metrics.value('previews_sent_total')]).toEqual([1, 1]);
  });

  test('never has two calls under way, whatever comes meanwhile', async () => {
    const answers: ((watchers: number) => void)[] = [];
    let underWay = 0;
    let most = 0;
    const {
      sender: it,
      metrics,
      pass,
    } = start(async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      const watchers = await new Promise<number>((resolve) => answers.push(resolve));
      underWay -= 1;
      return watchers;
    });
    for (let n = 0; n < 500; n += 1) {
      it.offer(named, JPEG);
      pass(100);
    }
    expect(answers).toHaveLength(1);
    answers[0]!(1);
    await until('the next call', () => answers.length === 2);
    expect(most).toBe(1);
    expect(metrics.value('previews_dropped_total', 'superseded')).toBe(499);
    answers[1]!(0);
  });

  test('takes a preview without a name for the one prompt that runs, and drops it where there is none', async () => {
    const requests: PreviewRequest[] = [];
    let running: string | undefined;
    const { sender: it, metrics } = start(
      async (request) => {
        requests.push(request);
        return 0;
      },
      () => running,
    );
    it.offer(unnamed, JPEG);
    expect(metrics.value('previews_dropped_total', 'noJob')).toBe(1);
    running = 'only';
    it.offer(unnamed, JPEG);
    await until('it asked', () => requests.length === 1);
    expect(requests[0]).toMatchObject({ promptId: 'only', nodeId: null, image: null });
  });

  test.each<[string, BinaryFrame]>([
    ['no prompt', { ...named, promptId: undefined }],
    ['an empty prompt', { ...named, promptId: '' }],
    ['a prompt of 512 characters', { ...named, promptId: 'x'.repeat(512) }],
    ['text', { kind: 'text', nodeId: '3' }],
  ])('drops a frame with %s', (_name, frame) => {
    const { sender: it, metrics } = start(() => Promise.reject(new Error('must not be called')));
    it.offer(frame, JPEG);
    expect(metrics.value('previews_dropped_total', 'noJob')).toBe(1);
    expect(metrics.value('preview_questions_total')).toBe(0);
  });

  test('survives calls that fail: counts them all, and says so once', async () => {
    const {
      sender: it,
      metrics,
      warnings,
      pass,
    } = start(() => Promise.reject(new TypeError('secret words')));
    it.offer(named, JPEG);
    await until('the first failed', () => metrics.value('preview_failures_total', 'TypeError') === 1);
    pass(10_000);
    it.offer(named, JPEG);
    await until('the second failed', () => metrics.value('preview_failures_total', 'TypeError') === 2);
    expect(warnings).toEqual([{ code: 'monitor.previewFailed', error: 'TypeError' }]);
    expect(metrics.value('previews_sent_total')).toBe(0);
  });

  test('gives up the call under way when it is closed', async () => {
    let aborted = false;
    const { sender: it, metrics } = start(
      (_request, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('aborted'));
          });
        }),
    );
    it.offer(named, JPEG);
    await it.close();
    expect(aborted).toBe(true);
    it.offer(named, JPEG);
    expect(metrics.value('preview_questions_total')).toBe(1);
    expect(metrics.value('preview_failures_total')).toBe(0);
  });
});

describe('a picture of more than 24 KB', () => {
  const large = jpegOf(512);
  const watched = (requests: PreviewRequest[]): CallPreviewFunction => {
    return async (request) => {
      requests.push(request);
      return 1;
    };
  };
  const noPrompt = () => undefined;

  test('is made smaller when it is its turn, and only then', async () => {
    const requests: PreviewRequest[] = [];
    const shrunk: number[] = [];
    const { sender: it, metrics } = start(watched(requests), noPrompt, async (image) => {
      shrunk.push(image.length);
      return { kind: 'fits', image: JPEG };
    });
    expect(large.length).toBeGreaterThan(MAX_PREVIEW_BYTES);
    for (let n = 0; n < 50; n += 1) it.offer(named, large);
    await until('one was sent', () => requests.length === 2);
    expect(shrunk).toEqual([large.length]);
    expect(requests.map(({ image }) => image)).toEqual([null, JPEG.toString('base64')]);
    expect(metrics.value('previews_shrunk_total')).toBe(1);
  });

  test('is not even decoded while nobody watches', async () => {
    const { sender: it, metrics } = start(async () => 0);
    it.offer(named, large);
    await until('it asked', () => metrics.value('preview_questions_total') === 1);
    await it.close();
    expect(metrics.value('previews_dropped_total')).toBe(0);
  });

  test('that stays too large is dropped; the next question comes after ten seconds', async () => {
    const requests: PreviewRequest[] = [];
    const {
      sender: it,
      metrics,
      pass,
    } = start(watched(requests), noPrompt, async () => ({ kind: 'tooLarge' }));
    it.offer(named, large);
    await until('it was dropped', () => metrics.value('previews_dropped_total', 'tooLarge') === 1);
    pass(9000);
    it.offer(named, JPEG);
    expect(requests).toHaveLength(1);
    pass(1000);
    it.offer(named, JPEG);
    await until('it asked and sent', () => requests.length === 3);
    expect(requests.map(({ image }) => image === null)).toEqual([true, true, false]);
  });

  test('whose thread fails is counted, said once, and harmless', async () => {
    const requests: PreviewRequest[] = [];
    const {
      sender: it,
      metrics,
      warnings,
      pass,
    } = start(watched(requests), noPrompt, async () => {
      throw new MonitorError('pictureThreadFailed', 'it ended', { retryable: true });
    });
    for (const failures of [1, 2]) {
      it.offer(named, large);
      await until('it failed', () => metrics.value('previews_dropped_total', 'shrinkFailed') === failures);
      pass(10_000);
    }
    expect(warnings).toEqual([{ code: 'monitor.previewNotShrunk', error: 'it ended' }]);
    expect(metrics.value('previews_sent_total')).toBe(0);
  });

  test('at work is given up when the sender is closed', async () => {
    let given: AbortSignal | undefined;
    const { sender: it, metrics } = start(watched([]), noPrompt, (_image, signal) => {
      given = signal;
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('gone'))),
      );
    });
    it.offer(named, large);
    await until('it works', () => given !== undefined);
    await it.close();
    expect(given?.aborted).toBe(true);
    expect(metrics.value('previews_dropped_total')).toBe(0);
  });
});

describe('the preview function', () => {
  let server: Server | undefined;
  const environment = { ...process.env };
  afterEach(() => {
    process.env = { ...environment };
    server?.closeAllConnections();
    server?.close();
  });

  const request: PreviewRequest = {
    jobId: 'job-1',
    attempt: 1,
    workerId: 'pod-1',
    promptId: 'p',
    nodeId: null,
    mimeType: 'image/png',
    image: null,
  };
  const serve = async (status: number, body: string, headers: Readonly<Record<string, string>> = {}) => {
    const seen: { url: string; type: unknown; body: string }[] = [];
    const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
      const bytes = await buffer(message);
      const type = message.headers['x-amz-invocation-type'];
      seen.push({ url: message.url ?? '', type, body: bytes.toString('utf8') });
      response.writeHead(status, headers).end(body);
    };
    const listening = createServer((message, response) => void answer(message, response));
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const { port } = listening.address() as AddressInfo;
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    });
    return {
      seen,
      call: createPreviewFunction({ functionName: 'dev-comfyui-push-preview', region: 'eu-west-1' }),
    };
  };
  const never = new AbortController().signal;

  test('is invoked for its answer, at the endpoint of the environment', async () => {
    const { seen, call } = await serve(200, '{"watchers":3}');
    expect(await call(request, never)).toBe(3);
    expect(seen).toEqual([
      {
        url: '/2015-03-31/functions/dev-comfyui-push-preview/invocations',
        type: 'RequestResponse',
        body: JSON.stringify(request),
      },
    ]);
  });

  test.each<[string, number, string, Readonly<Record<string, string>>, object]>([
    [
      'a failed function',
      200,
      '{"errorMessage":"x"}',
      { 'x-amz-function-error': 'Unhandled' },
      { code: 'previewRefused' },
    ],
    ['no JSON', 200, '<html>', {}, { code: 'previewRefused' }],
    ['no number', 200, '{"watchers":"many"}', {}, { code: 'previewRefused' }],
    ['a negative number', 200, '{"watchers":-1}', {}, { code: 'previewRefused' }],
    ['nothing', 200, '', {}, { code: 'previewRefused' }],
    [
      'a refusal',
      403,
      '{"message":"no"}',
      { 'x-amzn-errortype': 'AccessDeniedException' },
      { name: 'AccessDeniedException' },
    ],
    ['a fault', 500, '{}', { 'x-amzn-errortype': 'ServiceException' }, { name: 'ServiceException' }],
  ])('%s is a failure, and not tried again', async (_name, status, body, headers, error) => {
    const { seen, call } = await serve(status, body, headers);
    await expect(call(request, never)).rejects.toMatchObject(error);
    expect(seen).toHaveLength(1);
  });
});
