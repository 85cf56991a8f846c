import { Worker } from 'node:worker_threads';
import * as z from 'zod';
import type { FunctionDefinition } from './function-definition.ts';

export interface Invocation {
  readonly requestId: string;
  /** ARN as invoked, qualifier included. */
  readonly functionArn: string;
  /** JSON text. */
  readonly payload: string;
  readonly clientContext?: unknown;
}

export interface FunctionFailure {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace: readonly string[];
}

export type ThreadOutcome =
  | { readonly kind: 'ok'; readonly payload: string }
  | { readonly kind: 'failed'; readonly failure: FunctionFailure };

interface ThreadOptions {
  readonly definition: FunctionDefinition;
  readonly environment: Readonly<Record<string, string>>;
  readonly onOutput: (text: string) => void;
}

const failureSchema = z.object({
  errorType: z.string(),
  errorMessage: z.string(),
  trace: z.array(z.string()),
});
const messageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('output'), text: z.string() }),
  z.object({ kind: z.literal('result'), payload: z.string() }),
  z.object({ kind: z.literal(['failure', 'initFailure', 'crash']), failure: failureSchema }),
]);

/** Milliseconds that loading the handler may take, as on Lambda. */
const initLimitMs = 10_000;
/** Answers above this are refused, as on Lambda. */
const maxPayloadBytes = 6 * 1024 * 1024;
const entry = new URL('./function-thread-entry.mjs', import.meta.url);

/** One execution environment: a thread that has loaded one function and runs one invocation at a time. */
export class FunctionThread {
  readonly functionName: string;
  readonly #definition: FunctionDefinition;
  readonly #worker: Worker;
  readonly #send: (message: unknown) => void;
  readonly #ready: Promise<FunctionFailure | undefined>;
  #settleReady: (failure?: FunctionFailure) => void = () => undefined;
  #settleRun: ((outcome: ThreadOutcome) => void) | undefined;
  #usable = true;

  constructor({ definition, environment, onOutput }: ThreadOptions) {
    this.functionName = definition.name;
    this.#definition = definition;
    this.#ready = new Promise((resolve) => (this.#settleReady = resolve));
    this.#worker = startWorker(definition, environment);
    this.#send = this.#worker.postMessage.bind(this.#worker);
    this.#worker.on('message', (message: unknown) => this.#receive(message, onOutput));
    this.#worker.on('error', (error) =>
      this.#die({ ...exitFailure, errorMessage: `Runtime exited: ${error.message}` }),
    );
    this.#worker.on('exit', () => this.#die(exitFailure));
  }

  /** Settles once the handler is loaded, or could not be. */
  get loaded(): Promise<unknown> {
    return this.#ready;
  }

  /** False once it crashed, timed out, failed to load or was stopped: then it must not be used again. */
  get usable(): boolean {
    return this.#usable;
  }

  /** Runs one invocation to its end, the time to load the handler not counted. Never rejects. */
  async run(invocation: Invocation): Promise<ThreadOutcome> {
    this.#worker.ref();
    const initTimer = setTimeout(() => this.#expire(initLimitMs / 1000, invocation), initLimitMs);
    const initFailure = await this.#ready;
    clearTimeout(initTimer);
    if (initFailure) return { kind: 'failed', failure: initFailure };
    const outcome = await this.#execute(invocation);
    this.#worker.unref();
    return outcome;
  }

  async stop(): Promise<void> {
    this.#usable = false;
    await this.#worker.terminate();
  }

  async #execute(invocation: Invocation): Promise<ThreadOutcome> {
    const { timeoutSeconds } = this.#definition;
    const finished = new Promise<ThreadOutcome>((resolve) => (this.#settleRun = resolve));
    const timer = setTimeout(() => this.#expire(timeoutSeconds, invocation), timeoutSeconds * 1000);
    this.#send({ ...invocation, deadlineMs: Date.now() + timeoutSeconds * 1000 });
    const outcome = await finished;
    clearTimeout(timer);
    return outcome;
  }

  #expire(seconds: number, { requestId }: Invocation): void {
    const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${seconds.toFixed(2)} seconds`;
    this.#die({ errorType: 'Sandbox.Timedout', errorMessage, trace: [] });
    void this.#worker.terminate();
  }

  #receive(raw: unknown, onOutput: (text: string) => void): void {
    const message = messageSchema.parse(raw);
    if (message.kind === 'output') onOutput(message.text);
    else if (message.kind === 'ready') this.#settleReady();
    else if (message.kind === 'result') this.#finish(limited(message.payload));
    else if (message.kind === 'failure') this.#finish({ kind: 'failed', failure: message.failure });
    else this.#die(message.failure);
  }

  #finish(outcome: ThreadOutcome): void {
    this.#settleRun?.(outcome);
    this.#settleRun = undefined;
  }

  #die(failure: FunctionFailure): void {
    this.#usable = false;
    this.#settleReady(failure);
    this.#finish({ kind: 'failed', failure });
  }
}

const exitFailure: FunctionFailure = {
  errorType: 'Runtime.ExitError',
  errorMessage: 'Error: Runtime exited without providing a reason',
  trace: [],
};

function limited(payload: string): ThreadOutcome {
  const bytes = Buffer.byteLength(payload);
  if (bytes <= maxPayloadBytes) return { kind: 'ok', payload };
  const errorMessage = `Response payload size (${bytes} bytes) exceeded maximum allowed payload size (6291556 bytes).`;
  return { kind: 'failed', failure: { errorType: 'Function.ResponseSizeTooLarge', errorMessage, trace: [] } };
}

function startWorker(definition: FunctionDefinition, environment: Readonly<Record<string, string>>): Worker {
  // NODE_OPTIONS would be read by the thread itself and may hold what only a process understands.
  const { NODE_OPTIONS: nodeOptions, ...env } = environment;
  const worker = new Worker(entry, {
    env,
    // Without this the thread would load the loaders of this process (tsx, jest) as well.
    execArgv: [],
    workerData: {
      codeDirectory: definition.codeDirectory,
      handler: definition.handler,
      callbacks: !(Number(/\d+/.exec(definition.runtime)?.[0]) >= 24),
      sourceMaps: nodeOptions?.includes('--enable-source-maps') ?? false,
      context: {
        functionName: definition.name,
        functionVersion: '$LATEST',
        memoryLimitInMB: String(definition.memoryMegabytes),
        logGroupName: environment['AWS_LAMBDA_LOG_GROUP_NAME'],
        logStreamName: environment['AWS_LAMBDA_LOG_STREAM_NAME'],
      },
    },
    resourceLimits: { maxOldGenerationSizeMb: definition.memoryMegabytes, maxYoungGenerationSizeMb: 16 },
  });
  // Until it runs something it must not keep the process alive.
  worker.unref();
  return worker;
}
