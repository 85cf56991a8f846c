/** Makes pictures small enough to be sent, in a thread of its own: the loop that reads frames never waits for it. */
import { Worker } from 'node:worker_threads';
import * as z from 'zod';
import { MAX_PREVIEW_BYTES } from '../../shared-types/index.ts';
import { PREVIEW_LIMITS } from '../core/preview-desk.ts';
import { errorCode, MonitorError } from '../monitor-error.ts';

const shrunkSchema = z.discriminatedUnion('kind', [
  /** A JPEG of at most 24 KB. */
  z.object({ kind: z.literal('fits'), image: z.instanceof(Uint8Array) }),
  z.object({ kind: z.literal(['undecodable', 'tooLarge']) }),
]);
type Shrunk = z.infer<typeof shrunkSchema>;

/**
 * One picture at a time: whoever calls waits for the answer before. Rejects with MonitorError `pictureThreadFailed`;
 * the next call starts a new thread then.
 */
export type ShrinkPicture = (image: Uint8Array, signal: AbortSignal) => Promise<Shrunk>;

export interface PictureShrinkerOptions {
  /** What runs in the thread. */
  readonly thread?: URL;
  /** Milliseconds for one picture, the start of the thread included; 10 s by default. */
  readonly timeoutMs?: number;
}

/** The bundle of the container has it beside itself, too (monitor/Dockerfile). */
const THREAD = new URL('./picture-thread.mjs', import.meta.url);
/** Of JavaScript's own memory, in megabytes; pixels lie outside it, where the decoders have bounds of their own. */
const HEAP_MB = 128;

const failure = (what: string, cause?: unknown): MonitorError =>
  new MonitorError('pictureThreadFailed', what, { retryable: true, cause });

const startThread = (thread: URL): Worker => {
  const worker = new Worker(thread, {
    // A decoder of other people's bytes has no use for credentials.
    env: {},
    // Without this the thread would load the loaders of this process (tsx) as well.
    execArgv: [],
    workerData: { maxBytes: MAX_PREVIEW_BYTES, maxSide: PREVIEW_LIMITS.maxSide },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  // Waiting for a picture, it must not keep the process.
  worker.unref();
  return worker;
};

const read = (answer: unknown): Shrunk => {
  if (answer instanceof MonitorError) throw answer;
  const shrunk = shrunkSchema.safeParse(answer);
  if (!shrunk.success) throw failure('an answer that is none');
  return shrunk.data;
};

export class PictureShrinker {
  readonly #thread: URL;
  readonly #timeoutMs: number;
  #worker: Worker | undefined;
  #settle: ((answer: unknown) => void) | undefined;

  constructor({ thread = THREAD, timeoutMs = 10_000 }: PictureShrinkerOptions = {}) {
    this.#thread = thread;
    this.#timeoutMs = timeoutMs;
  }

  readonly shrink: ShrinkPicture = async (image, signal) => {
    const worker = (this.#worker ??= this.#start());
    const answered = new Promise<unknown>((resolve) => (this.#settle = resolve));
    const giveUp = (): void => void this.#end(worker, failure('given up'));
    const timer = setTimeout(giveUp, this.#timeoutMs);
    signal.addEventListener('abort', giveUp);
    // A copy of its own: the frame's bytes may share their memory with other frames.
    const bytes = new Uint8Array(image);
    worker.postMessage(bytes, [bytes.buffer]);
    const answer = await answered;
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    return read(answer);
  };

  /** A picture at work is given up. */
  async close(): Promise<void> {
    if (this.#worker !== undefined) await this.#end(this.#worker, failure('closed'));
  }

  #start(): Worker {
    const worker = startThread(this.#thread);
    worker.on('message', (answer: unknown) => this.#settle?.(answer));
    worker.on('error', (error) => this.#gone(worker, failure(errorCode(error) ?? error.name, error)));
    worker.on('exit', () => this.#gone(worker, failure('it ended')));
    return worker;
  }

  /** A thread that ended says nothing any more; one that followed it does. */
  #gone(worker: Worker, why: MonitorError): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#settle?.(why);
  }

  async #end(worker: Worker, why: MonitorError): Promise<void> {
    this.#gone(worker, why);
    await worker.terminate();
  }
}
