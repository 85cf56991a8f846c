/**
 * POST /upload/image: one file, streamed as it comes, of a length that is known beforehand.
 * Source: https://docs.comfy.org/development/comfyui-server/comms_routes
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import * as z from 'zod';
import { readComfyUiJson } from '../../../shared-types/index.ts';
import { PipelineError } from '../../core/errors.ts';
import type { ComfyUi } from '../../core/ports.ts';
import { reasonOf } from './get-json.ts';
import { readText, send, WorkerHttpError, type HttpOptions, type StreamedBody } from './http-request.ts';
import { oneLine } from './prompt-rejection.ts';

type UploadRequest = Parameters<ComfyUi['uploadFile']>[1];
type UploadAnswer = Awaited<ReturnType<ComfyUi['uploadFile']>>;

const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_NAME = 1024;

/** Of the file itself: it is too large, or its name is refused. Everything else is about the way to ComfyUI. */
const REFUSALS = new Set([400, 413, 415, 422]);

const answerSchema = z.looseObject({
  name: z.string().min(1).max(MAX_NAME),
  subfolder: z.string().max(MAX_NAME).catch(''),
});

/** Neither a quote nor a line break may end the header early. */
const headerSafe = (name: string): string => name.replaceAll(/[\p{Cc}"\\]/gu, '_');

const field = (boundary: string, name: string, value: string): string =>
  `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

/** Not overwritten: the same bytes get the same name again, and other bytes another one. */
const headOf = (boundary: string, { filename, subfolder }: UploadRequest): Buffer =>
  Buffer.from(
    `${field(boundary, 'type', 'input')}${field(boundary, 'subfolder', subfolder)}--${boundary}\r\n` +
      `Content-Disposition: form-data; name="image"; filename="${headerSafe(filename)}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  );

const wrongLength = (size: number): PipelineError =>
  new PipelineError('file.length', `the file is not of the ${size} bytes that were announced`, {
    retryable: true,
  });

/** @throws PipelineError `file.length` when the file turns out longer or shorter than it was said to be */
async function* parts(head: Buffer, { body, size }: UploadRequest, tail: Buffer): AsyncGenerator<Buffer> {
  yield head;
  let sent = 0;
  for await (const chunk of body as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk);
    sent += bytes.length;
    if (sent > size) throw wrongLength(size);
    yield bytes;
  }
  if (sent < size) throw wrongLength(size);
  yield tail;
}

const multipart = (file: UploadRequest): StreamedBody => {
  const boundary = `comfyui-${randomUUID()}`;
  const head = headOf(boundary, file);
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    stream: Readable.from(parts(head, file, tail), { objectMode: false }),
    contentType: `multipart/form-data; boundary=${boundary}`,
    length: head.length + file.size + tail.length,
  };
};

const readName = (body: string): UploadAnswer => {
  const reading = readComfyUiJson(body);
  const read = answerSchema.safeParse(reading.kind === 'ok' ? reading.value : undefined);
  if (!read.success)
    return { kind: 'unreachable', message: 'the worker answered an upload with what does not read' };
  const { name, subfolder } = read.data;
  return { kind: 'uploaded', name: subfolder === '' ? name : `${subfolder}/${name}` };
};

const readAnswer = async (response: IncomingMessage, options: HttpOptions): Promise<UploadAnswer> => {
  const status = response.statusCode ?? 0;
  if (status === 200) return readName(await readText(response, MAX_ANSWER_BYTES, options));
  if (!REFUSALS.has(status)) {
    response.destroy();
    return { kind: 'unreachable', message: `the worker answered an upload with HTTP ${status}` };
  }
  const text = await readText(response, MAX_ANSWER_BYTES, options).catch(() => '');
  const why = status === 413 ? 'the file is larger than it accepts' : oneLine(text, 200);
  return { kind: 'rejected', message: why === '' ? `HTTP ${status}` : why };
};

/** What broke first is what is said: the file itself, or the connection. */
const messageOf = (error: unknown): string => {
  const cause = error instanceof WorkerHttpError ? error.cause : undefined;
  return cause instanceof PipelineError ? cause.message : reasonOf(error);
};

/** @param options `timeoutMs` is for the whole upload */
export const createUploadFile =
  (options: HttpOptions): ComfyUi['uploadFile'] =>
  async (endpoint, file) => {
    const body = multipart(file);
    try {
      return await readAnswer(await send(`${endpoint}/upload/image`, body, options), options);
    } catch (error) {
      return { kind: 'unreachable', message: messageOf(error) };
    } finally {
      body.stream.destroy();
      file.body.destroy();
    }
  };
