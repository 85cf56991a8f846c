/**
 * Files that callers name by URL. The address of every hop is checked when it is connected to, so neither a name that
 * resolves to an inner address nor a redirect leads anywhere else.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline as pipe, Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PipelineError } from '../../core/errors.ts';
import type { Clock, RemoteFiles } from '../../core/ports.ts';
import type { AddressPolicy } from '../../core/worker-address.ts';
import { boundedBody, tooLargeMessage, type FileLimits } from '../comfyui/bounded-body.ts';
import { send, WorkerHttpError, type HttpOptions } from '../comfyui/http-request.ts';

export interface RemoteFileOptions {
  readonly addressPolicy: AddressPolicy;
  readonly clock: Clock;
  /** Milliseconds for the head of an answer; 10 s by default. */
  readonly timeoutMs?: number;
  /** 100 MB and one minute by default. */
  readonly limits?: FileLimits;
}

type Opened = Awaited<ReturnType<RemoteFiles['open']>>;

const LIMITS: FileLimits = { maxBytes: 100_000_000, deadlineMs: 60_000 };
const TIMEOUT_MS = 10_000;
const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** For now: who may ask, how often, and a gateway with nothing behind it. */
const TRANSIENT = new Set([408, 425, 429]);

const refused = (message: string): Opened => ({ kind: 'refused', message });

const targetOf = (url: string, base?: URL): URL | undefined => {
  if (!URL.canParse(url, base?.href)) return undefined;
  const target = new URL(url, base);
  const isPlain = target.username === '' && target.password === '';
  const isDowngrade = base?.protocol === 'https:' && target.protocol !== 'https:';
  return isPlain && !isDowngrade && /^https?:$/.test(target.protocol) ? target : undefined;
};

const statusAnswer = (status: number): Opened => {
  const message = `its server answered HTTP ${status}`;
  return status >= 500 || TRANSIENT.has(status) ? { kind: 'unreachable', message } : refused(message);
};

const lengthOf = ({ headers }: IncomingMessage): number | undefined => {
  const text = headers['content-length'];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
};

/** A body that ends before its announced length was cut off: another time it may be whole. */
const measured = (source: Readable, size: number): Readable => {
  let seen = 0;
  const body = new Transform({
    transform: (chunk: Buffer, _encoding, pass) => {
      seen += chunk.length;
      pass(null, chunk);
    },
    flush: (done) => {
      const cut = () => new PipelineError('file.cut', 'the file was cut short', { retryable: true });
      done(seen === size ? null : cut());
    },
  });
  // Kept for whoever reads the body: until the first read nobody listens.
  body.on('error', () => undefined);
  pipe(source, body, () => undefined);
  return body;
};

/** An answer of unknown length goes to a file first, which is gone once its body is closed. */
const spooled = async (source: Readable): Promise<Opened> => {
  const folder = await mkdtemp(join(tmpdir(), 'comfyui-file-'));
  const path = join(folder, 'file');
  const cleanUp = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const file = createWriteStream(path);
    await pipeline(source, file);
    const body = createReadStream(path);
    body.on('error', () => undefined);
    body.once('close', () => void cleanUp().catch(() => undefined));
    return { kind: 'found', body, size: file.bytesWritten };
  } catch (error) {
    await cleanUp();
    if (error instanceof PipelineError && error.code === 'file.refused') return refused(error.message);
    return { kind: 'unreachable', message: 'the file was cut short' };
  }
};

const readBody = async (response: IncomingMessage, limits: FileLimits, clock: Clock): Promise<Opened> => {
  const length = lengthOf(response);
  if ((length ?? 0) > limits.maxBytes) {
    response.destroy();
    return refused(tooLargeMessage(limits.maxBytes));
  }
  if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') {
    response.destroy();
    return refused('its server answered a compressed file');
  }
  const body = boundedBody(response, limits, clock);
  return length === undefined ? spooled(body) : { kind: 'found', body: measured(body, length), size: length };
};

const failureOf = (error: unknown): Opened => {
  if (!(error instanceof WorkerHttpError)) throw error;
  if (error.code === 'worker.address-refused') return refused('its address is not allowed');
  const slow = error.code === 'worker.timeout';
  return {
    kind: 'unreachable',
    message: slow ? 'its server does not answer in time' : 'its server cannot be reached',
  };
};

export const createRemoteFiles = ({
  addressPolicy,
  clock,
  timeoutMs = TIMEOUT_MS,
  limits = LIMITS,
}: RemoteFileOptions): RemoteFiles => {
  const options: HttpOptions = { addressPolicy, clock, timeoutMs };
  const follow = async (url: URL, hops: number): Promise<Opened> => {
    const response = await send(url.href, undefined, options);
    const status = response.statusCode ?? 0;
    if (status === 200) return readBody(response, limits, clock);
    response.destroy();
    if (!REDIRECTS.has(status)) return statusAnswer(status);
    const next = targetOf(response.headers.location ?? '', url);
    if (next === undefined || hops === 0) return refused('its server redirects where it may not');
    return follow(next, hops - 1);
  };
  return {
    open: async (url) => {
      const target = targetOf(url);
      if (target === undefined) return refused('this is no http or https address without a password');
      return follow(target, MAX_REDIRECTS).catch(failureOf);
    },
  };
};
