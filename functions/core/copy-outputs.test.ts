import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { createFakeComfyUi } from '../adapters/comfyui/comfyui.fake.ts';
import { createFakeMediaStore } from '../adapters/s3/media-store.fake.ts';
import { storedOutput } from '../adapters/test-support/stored-output.ts';
import { copyOutputs } from './copy-outputs.ts';
import { PipelineError } from './errors.ts';
import { outputIdOf } from './output-key.ts';
import { peekBody } from './peek-body.ts';
import type { ComfyUi } from './ports.ts';
import { cutText } from './store-output.ts';
import { createFakeClock } from './test-support/fake-clock.ts';

const target = {
  jobId: 'job-1',
  userId: 'user-1',
  sessionId: 'session-1',
  endpoint: 'http://10.0.0.1',
  early: [],
};
const fileOf = (index: number, filename = `${index}.png`) => ({
  nodeId: '9',
  outputKey: 'images',
  index,
  filename,
  subfolder: '',
  type: 'output',
});

const createStage = () => ({
  comfyUi: createFakeComfyUi(),
  media: createFakeMediaStore(),
  clock: createFakeClock(),
  storeTempOutputs: false,
});

describe('copying', () => {
  test('keeps the order, and fetches at most four at once', async () => {
    const stage = createStage();
    let open = 0;
    let most = 0;
    const counting: ComfyUi = {
      ...stage.comfyUi,
      fetchFile: async (endpoint, file) => {
        open += 1;
        most = Math.max(most, open);
        await new Promise((resolve) => setImmediate(resolve));
        open -= 1;
        return stage.comfyUi.fetchFile(endpoint, file);
      },
    };
    const files = Array.from({ length: 40 }, (_, index) => fileOf(index));
    for (const { filename } of files) stage.comfyUi.putFile({ filename }, filename);
    const { outputs } = await copyOutputs({ files, texts: [] }, target, { ...stage, comfyUi: counting });
    expect(outputs.map(({ index }) => index)).toEqual(files.map(({ index }) => index));
    expect(most).toBe(4);
  });

  test('one name twice in a list is two outputs', async () => {
    const stage = createStage();
    stage.comfyUi.putFile({ filename: 'a.png' }, 'a');
    const files = [fileOf(0, 'a.png'), fileOf(1, 'a.png')];
    expect((await copyOutputs({ files, texts: [] }, target, stage)).outputs).toHaveLength(2);
    expect(stage.media.objects.size).toBe(2);
  });

  test('a thousand absent files wait five seconds together, not each', async () => {
    const stage = createStage();
    const began = stage.clock.now();
    const files = Array.from({ length: 1000 }, (_, index) => fileOf(index));
    const { missingOutputs } = await copyOutputs({ files, texts: [] }, target, stage);
    expect(missingOutputs).toHaveLength(1000);
    expect(stage.clock.now() - began).toBeLessThan(15_000);
  });

  test('a name that ComfyUI refuses is missing at once', async () => {
    const stage = createStage();
    const { missingOutputs } = await copyOutputs(
      { files: [fileOf(0, 'a..b.png')], texts: [] },
      target,
      stage,
    );
    expect(missingOutputs).toMatchObject([
      { filename: 'a..b.png', error: expect.stringContaining('HTTP 400') },
    ]);
    expect(stage.clock.sleeps).toEqual([]);
  });

  test('an output that was stored early outlives a worker that no longer serves its file', async () => {
    const stage = createStage();
    const early = storedOutput(0, { outputId: outputIdOf('job-1', '9', 'images', 0) });
    stage.comfyUi.answerNext('fetchFile', { kind: 'unfetchable', message: 'HTTP 302' });
    const copied = await copyOutputs({ files: [fileOf(0)], texts: [] }, { ...target, early: [early] }, stage);
    expect(copied).toEqual({ outputs: [early], missingOutputs: [] });
  });

  test('a body that broke once is fetched again', async () => {
    const stage = createStage();
    const broken = Readable.from(
      (function* body() {
        yield Buffer.from('ab');
        throw new Error('reset');
      })(),
    );
    stage.comfyUi.putFile({ filename: '0.png' }, 'abcdef');
    stage.comfyUi.answerNext('fetchFile', { kind: 'found', body: broken, length: 6, etag: '"6"' });
    const { outputs } = await copyOutputs({ files: [fileOf(0)], texts: [] }, target, stage);
    expect(outputs).toMatchObject([{ size: 6 }]);
  });

  test('a file that turns out beyond the limits is missing at once, with the reason', async () => {
    const stage = createStage();
    const reason = 'the file is larger than 3 bytes';
    const endless = Readable.from(
      (function* body() {
        yield Buffer.alloc(8192);
        throw new PipelineError('file.refused', reason, { retryable: false });
      })(),
    );
    stage.comfyUi.answerNext('fetchFile', { kind: 'found', body: endless, length: undefined, etag: '"6"' });
    const { missingOutputs } = await copyOutputs({ files: [fileOf(0)], texts: [] }, target, stage);
    expect(missingOutputs).toMatchObject([{ filename: '0.png', error: reason }]);
    expect(stage.clock.sleeps).toEqual([]);
  });

  test('a file without an ETag is copied anew each time: nothing says that it is the same', async () => {
    const stage = createStage();
    stage.comfyUi.putFile({ filename: '0.png' }, 'abc', { etag: undefined, length: undefined });
    await copyOutputs({ files: [fileOf(0)], texts: [] }, target, stage);
    await copyOutputs({ files: [fileOf(0)], texts: [] }, target, stage);
    expect(stage.media.writes).toHaveLength(2);
    expect(stage.media.objects.size).toBe(1);
  });

  test('a worker that cannot be reached is a reason to deliver again', async () => {
    const stage = createStage();
    stage.comfyUi.setReachable(false);
    const copied = copyOutputs({ files: [fileOf(0), fileOf(1)], texts: [] }, target, stage);
    await expect(copied).rejects.toMatchObject({ code: 'worker.unreachable', retryable: true });
  });
});

describe('texts', () => {
  test('are stored as plain text, whatever they hold, and once', async () => {
    const stage = createStage();
    const texts = [{ nodeId: '12', outputKey: 'text', index: 0, text: '<script>alert(1)</script>' }];
    const first = await copyOutputs({ files: [], texts }, target, stage);
    expect(await copyOutputs({ files: [], texts }, target, stage)).toEqual(first);
    expect(first.outputs).toMatchObject([
      { kind: 'text', mimeType: 'text/plain; charset=utf-8', filename: 'text-0.txt', size: 25 },
    ]);
    expect(stage.media.writes).toHaveLength(1);
    expect(first.outputs[0]?.src).toMatch(/\.txt$/);
  });

  test('are cut at 64 KB, never inside a character', async () => {
    const stage = createStage();
    const texts = [{ nodeId: '12', outputKey: 'text', index: 0, text: `a${'世'.repeat(40_000)}` }];
    await copyOutputs({ files: [], texts }, target, stage);
    const [object] = stage.media.objects.values();
    expect(object?.content.length).toBe(65_536 - ((65_536 - 1) % 3));
    expect(object?.content.toString()).not.toContain('\ufffd');
  });

  test.each([
    ['🎨', 3, ''],
    ['🎨', 4, '🎨'],
    ['aé', 2, 'a'],
    ['abc', 2, 'ab'],
    ['', 0, ''],
  ])('%j cut to %i bytes is %j', (text, max, cut) => {
    expect(cutText(text, max).toString()).toBe(cut);
  });
});

describe('peeking', () => {
  test('gives the start, and then the whole body', async () => {
    const { head, body } = await peekBody(
      Readable.from(['ab', 'cd', 'ef'].map((piece) => Buffer.from(piece))),
      3,
    );
    expect(head.toString()).toBe('abcd');
    expect((await buffer(body)).toString()).toBe('abcdef');
  });

  test('holds no more than the start of a body that never ends', async () => {
    let produced = 0;
    const endless = Readable.from(
      (function* body() {
        for (;;) {
          produced += 1;
          yield Buffer.alloc(1024);
        }
      })(),
    );
    const { body } = await peekBody(endless, 4096);
    expect(produced).toBeLessThan(40);
    body.destroy();
    endless.destroy();
  });
});
