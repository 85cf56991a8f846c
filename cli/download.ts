/** Brings the outputs of a task onto this disk. */
import { createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { Task } from '../shared-types/index.ts';
import type { Sleep } from './api.ts';
import { CliError, EXIT } from './cli-error.ts';
import { errorCode } from './error-code.ts';
import { safeName } from './safe-name.ts';

type TaskOutput = NonNullable<Task['result']>['outputs'][number];

export interface DownloadOptions {
  readonly folder: string;
  /** What a `src` without a host is relative to. */
  readonly baseUrl: string;
  readonly sleep: Sleep;
  readonly signal: AbortSignal;
}

export interface Downloaded {
  /** Paths, in the order of the outputs. */
  readonly files: readonly string[];
  /** One line for each output that could not be had. */
  readonly failures: readonly string[];
}

const TRIES = 3;
const FIRST_WAIT_MS = 500;
/** Without a byte for so long, a download is given up. */
const STALL_MS = 60_000;

/**
 * A new, empty file: nothing is written over, links are not followed (https://nodejs.org/api/fs.html#file-system-flags).
 * A name that is taken gets the task's id, then a number.
 */
const reserve = async (folder: string, filename: string, taskId: string): Promise<string> => {
  const name = safeName(filename);
  const ending = extname(name);
  const stem = `${name.slice(0, name.length - ending.length)}-${taskId.slice(0, 8)}`;
  for (let n = 0; ; n += 1) {
    const candidate = n === 0 ? name : `${stem}${n === 1 ? '' : `-${n}`}${ending}`;
    const path = join(folder, candidate);
    try {
      await (await open(path, 'wx')).close();
      return path;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST')
        throw new CliError(EXIT.failed, `${path} cannot be written (${errorCode(error)})`);
    }
  }
};

/** Something that another try may heal. */
const passing = (message: string): CliError => new CliError(EXIT.failed, message, { retryable: true });

const sourceOf = ({ src }: TaskOutput, baseUrl: string): URL => {
  const url = URL.canParse(src, baseUrl) ? new URL(src, baseUrl) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new CliError(EXIT.failed, `${src} is no http or https URL`);
};

/** Ends a stream that stands still, or that becomes longer than it should. */
const guarded = (size: number, stalled: () => void) =>
  async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const timer = setTimeout(stalled, STALL_MS);
    let bytes = 0;
    try {
      for await (const chunk of source) {
        timer.refresh();
        bytes += chunk.length;
        if (bytes > size) throw passing(`more than ${size} bytes came`);
        yield chunk;
      }
    } finally {
      clearTimeout(timer);
    }
    if (bytes < size) throw passing(`${bytes} bytes came of ${size}`);
  };

const transfer = async (url: URL, size: number, path: string, signal: AbortSignal): Promise<void> => {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  signal.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(abort, STALL_MS);
  try {
    const response = await fetch(url, { signal: controller.signal });
    clearTimeout(timer);
    if (response.status >= 500) throw passing(`the answer was ${response.status}`);
    if (!response.ok) throw new CliError(EXIT.failed, `${url.href} was answered ${response.status}`);
    const body = Readable.fromWeb((response.body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>);
    await pipeline(body, guarded(size, abort), createWriteStream(path));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
};

const failureOf = (error: unknown, url: URL): CliError => {
  if (error instanceof CliError && !error.retryable) return error;
  const code = errorCode(error);
  const broken = code === 'ABORT_ERR' ? `no byte for ${STALL_MS / 1000} s` : code || 'the connection broke';
  const reason = error instanceof CliError ? error.message : broken;
  return new CliError(EXIT.failed, `${url.href} cannot be downloaded: ${reason}`, { cause: error });
};

const transferWithRetries = async (
  output: TaskOutput,
  path: string,
  { baseUrl, sleep, signal }: DownloadOptions,
): Promise<void> => {
  const url = sourceOf(output, baseUrl);
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted();
    try {
      return await transfer(url, output.size, path, signal);
    } catch (error) {
      signal.throwIfAborted();
      const isFinal =
        error instanceof CliError
          ? !error.retryable
          : /^E(NOSPC|DQUOT|ACCES|ROFS|IO)$/.test(errorCode(error));
      if (isFinal || tries >= TRIES) throw failureOf(error, url);
    }
    await sleep(FIRST_WAIT_MS * 2 ** (tries - 1), signal);
  }
};

/** The name is there from the start, the bytes only when all of them are. */
const fetchInto = async (output: TaskOutput, taskId: string, options: DownloadOptions): Promise<string> => {
  const path = await reserve(options.folder, output.filename, taskId);
  try {
    const partial = await reserve(options.folder, `${safeName(output.filename)}.part`, taskId);
    try {
      await transferWithRetries(output, partial, options);
      await rename(partial, path);
    } finally {
      await rm(partial, { force: true });
    }
    return path;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
};

/**
 * Downloads every output of a task; one that fails does not keep the others.
 * @throws CliError when the folder cannot be made, or the signal is aborted
 */
export const downloadOutputs = async (
  task: Pick<Task, 'id' | 'result'>,
  options: DownloadOptions,
): Promise<Downloaded> => {
  const outputs = task.result?.outputs ?? [];
  const files: string[] = [];
  const failures: string[] = [];
  if (outputs.length > 0)
    await mkdir(options.folder, { recursive: true }).catch((error: unknown) => {
      throw new CliError(EXIT.failed, `${options.folder} cannot be made (${errorCode(error)})`);
    });
  for (const output of outputs) {
    try {
      files.push(await fetchInto(output, task.id, options));
    } catch (error) {
      options.signal.throwIfAborted();
      failures.push(
        error instanceof CliError
          ? error.message
          : `${output.filename} cannot be written (${errorCode(error) || 'unknown'})`,
      );
    }
  }
  return { files, failures };
};
