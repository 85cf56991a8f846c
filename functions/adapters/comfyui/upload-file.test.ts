/** Files into ComfyUI's input folder, and what its nodes are. */
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import { PipelineError } from '../../core/errors.ts';
import { systemClock as clock } from '../system.ts';
import { closedEndpoint, listen, recording, stopServers } from '../test-support/http-server.ts';
import { createComfyUi } from './comfyui.ts';

const comfyUi = createComfyUi({ addressPolicy: 'any', clock, timeoutMs: 5000, uploadTimeoutMs: 20_000 });
const ANSWER = JSON.stringify({ name: 'a (1).png', subfolder: 'job-1', type: 'input' });

afterEach(stopServers);

const fileOf = (content: string | Buffer, size = Buffer.byteLength(content), filename = 'a.png') => ({
  body: Readable.from([content]),
  size,
  filename,
  subfolder: 'job-1',
});

describe('an upload', () => {
  test('is one form of a known length, and answers the name that ComfyUI gave it', async () => {
    const { endpoint, received } = await recording(() => [200, ANSWER]);
    const answer = await comfyUi.uploadFile(endpoint, fileOf('the bytes of a picture'));
    expect(answer).toEqual({ kind: 'uploaded', name: 'job-1/a (1).png' });
    const [request] = received;
    expect(request?.path).toBe('/upload/image');
    expect(Number(request?.headers['content-length'])).toBe(Buffer.byteLength(request?.body ?? ''));
    expect(request?.headers['transfer-encoding']).toBeUndefined();
    const form = await new Response(request?.body, {
      headers: { 'content-type': request?.headers['content-type'] ?? '' },
    }).formData();
    expect([...form.keys()]).toEqual(['type', 'subfolder', 'image']);
    expect(form.get('subfolder')).toBe('job-1');
    const image = form.get('image') as File;
    expect([image.name, await image.text()]).toEqual(['a.png', 'the bytes of a picture']);
  });

  test('of many pieces is passed on as it comes, whatever bytes it has', async () => {
    const piece = Buffer.alloc(64 * 1024, 255);
    let largest = 0;
    let sent = 0;
    let arrived = 0;
    const endpoint = await listen((request, response) => {
      request.on('data', (chunk: Buffer) => {
        arrived += chunk.length;
        largest = Math.max(largest, sent - arrived);
      });
      request.on('end', () => response.end(ANSWER));
    });
    const body = Readable.from(
      (async function* pieces() {
        for (let index = 0; index < 320; index += 1) {
          sent += piece.length;
          yield piece;
          await new Promise((resolve) => setImmediate(resolve));
        }
      })(),
    );
    const size = 320 * piece.length;
    const file = { body, size, filename: 'a.png', subfolder: 'job-1' };
    expect(await comfyUi.uploadFile(endpoint, file)).toMatchObject({ kind: 'uploaded' });
    expect(arrived).toBeGreaterThan(size);
    // 20 MB went through; what was on the way at once is far from all of it.
    expect(largest).toBeLessThan(size / 2);
  });

  test.each(['we"ird.png', 'x\r\nContent-Type: text/html\r\n\r\n.png', 'a\\b.png'])(
    'called %j cannot leave its header',
    async (filename) => {
      const { endpoint, received } = await recording(() => [200, ANSWER]);
      await comfyUi.uploadFile(endpoint, fileOf('x', 1, filename));
      const [, header = ''] = /name="image"; filename="([^"\r\n]*)"\r\n/.exec(received[0]?.body ?? '') ?? [];
      expect(header).toHaveLength(filename.length);
      expect(header).not.toMatch(/["\\]/);
    },
  );

  test.each([
    [400, 'bad name', 'bad name'],
    [413, '', 'the file is larger than it accepts'],
    [400, '', 'HTTP 400'],
  ])('that ComfyUI refuses with HTTP %d says why', async (status, body, message) => {
    const { endpoint } = await recording(() => [status, body]);
    expect(await comfyUi.uploadFile(endpoint, fileOf('x'))).toEqual({ kind: 'rejected', message });
  });

  test.each([
    [500, 'no'],
    [404, ''],
    [302, ''],
    [200, '<html>'],
    [200, '{"name":3}'],
    [200, '{"name":""}'],
  ])('that is answered HTTP %d %j is about the way to the worker', async (status, body) => {
    const { endpoint } = await recording(() => [status, body]);
    expect(await comfyUi.uploadFile(endpoint, fileOf('x'))).toMatchObject({ kind: 'unreachable' });
  });

  test('to nobody is no defect', async () => {
    const file = fileOf('x');
    expect(await comfyUi.uploadFile(await closedEndpoint(), file)).toMatchObject({ kind: 'unreachable' });
    expect(file.body.destroyed).toBe(true);
  });

  test.each([
    ['longer', 'abcdef', 3],
    ['shorter', 'abc', 6],
  ])('of a file that is %s than it was said to be does not take place', async (_what, content, size) => {
    const { endpoint, received } = await recording(() => [200, ANSWER]);
    const answer = await comfyUi.uploadFile(endpoint, fileOf(content, size));
    expect(answer).toEqual({
      kind: 'unreachable',
      message: `the file is not of the ${size} bytes that were announced`,
    });
    expect(received).toEqual([]);
  });

  test('of a file that breaks off does not take place', async () => {
    const { endpoint, received } = await recording(() => [200, ANSWER]);
    const body = Readable.from(
      (function* broken() {
        yield 'abc';
        throw new PipelineError('file.refused', 'the file is too slow', { retryable: false });
      })(),
    );
    const file = { body, size: 10, filename: 'a.png', subfolder: '' };
    expect(await comfyUi.uploadFile(endpoint, file)).toEqual({
      kind: 'unreachable',
      message: 'the file is too slow',
    });
    expect(received).toEqual([]);
  });

  test('to a worker that never answers is given up', async () => {
    const endpoint = await listen((request) => void request.resume());
    const impatient = createComfyUi({ addressPolicy: 'any', clock, uploadTimeoutMs: 80 });
    expect(await impatient.uploadFile(endpoint, fileOf('x'))).toMatchObject({ kind: 'unreachable' });
  });
});

describe('/object_info', () => {
  test('is answered as the text that it is', async () => {
    const { endpoint, received } = await recording(() => [200, '{"K":{"max":18446744073709551615,"d":NaN}}']);
    expect(await comfyUi.objectInfo(endpoint)).toEqual({
      kind: 'found',
      text: '{"K":{"max":18446744073709551615,"d":NaN}}',
    });
    expect(received.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /object_info']);
  });

  test.each([
    [404, '', {}],
    [500, '', {}],
    [302, '', { location: 'http://169.254.169.254/' }],
    [200, 'x', { 'content-encoding': 'gzip' }],
  ])('answered HTTP %d is not available', async (status, body, headers) => {
    const { endpoint } = await recording(() => [status, body, headers]);
    expect(await comfyUi.objectInfo(endpoint)).toMatchObject({ kind: 'unavailable' });
  });

  test('larger than 32 MB is not available', async () => {
    const endpoint = await listen((_request, response) => {
      response.write(Buffer.alloc(20 * 1024 * 1024, 32));
      response.end(Buffer.alloc(13 * 1024 * 1024, 32));
    });
    expect(await comfyUi.objectInfo(endpoint)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('longer than'),
    });
  });

  test('of nobody is not available', async () => {
    expect(await comfyUi.objectInfo(await closedEndpoint())).toMatchObject({ kind: 'unavailable' });
  });
});
