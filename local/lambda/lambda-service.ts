import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  AwsPlace,
  AwsService,
  FunctionInvoker,
  InvokeResult,
  Log,
  ProvisionedResource,
  QueueSender,
  ResourceProviders,
  ResourceRequest,
} from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { Chaos } from '../front-door/chaos.ts';
import type { AsyncConfig, AttemptOutcome } from './async-delivery.ts';
import { AsyncDelivery, defaultAsyncConfig } from './async-delivery.ts';
import { parseAsyncConfig } from './async-config.ts';
import { CodeStore } from './code-store.ts';
import type { QueueReceiver } from './event-source-mapping.ts';
import { missingQueues, parseEventSource, QueuePoller } from './event-source-mapping.ts';
import type { FunctionDefinition } from './function-definition.ts';
import { parseFunction, parseFunctionReference } from './function-definition.ts';
import { functionEnvironment } from './function-environment.ts';
import { FunctionOutput } from './function-output.ts';
import type { Invocation } from './function-thread.ts';
import { FunctionThread } from './function-thread.ts';
import { handleInvokeRequest } from './lambda-api.ts';
import { ThreadPool } from './thread-pool.ts';
import { provideAlias, provideVersion } from './version-and-alias.ts';

export interface LambdaOptions {
  readonly place: AwsPlace;
  /** What functions get as `AWS_ENDPOINT_URL`; asked when a function first starts. */
  readonly endpoint: () => string;
  /** Absolute path of a file asset by its S3 object key. */
  readonly assets: ReadonlyMap<string, string>;
  readonly queues: QueueSender & Partial<QueueReceiver>;
  readonly chaos: Chaos;
  readonly log: Log;
  /** Threads of all functions together. Default 16. */
  readonly functionThreads?: number;
  /** Milliseconds before the first retry of an asynchronous invocation. Default 1000; on AWS it is 60000. */
  readonly asyncRetryBaseMs?: number;
}

interface FunctionState {
  readonly definition: FunctionDefinition;
  readonly output: FunctionOutput;
  asyncConfig: AsyncConfig;
  running: number;
}

/** Lambda on worker threads: functions, their event invoke configs, versions, aliases and SQS event sources. */
export class LambdaService implements AwsService, FunctionInvoker {
  readonly signingName = 'lambda';
  readonly providers: ResourceProviders;
  readonly #options: LambdaOptions;
  readonly #functions = new Map<string, FunctionState>();
  readonly #pool: ThreadPool<FunctionThread>;
  readonly #delivery: AsyncDelivery;
  readonly #code: CodeStore;
  readonly #pollers: QueuePoller[] = [];

  constructor(options: LambdaOptions) {
    this.#options = options;
    this.#code = new CodeStore(options.assets);
    this.#pool = new ThreadPool(options.functionThreads ?? 32, (definition) => this.#startThread(definition));
    this.#delivery = new AsyncDelivery({
      attempt: (definition, invocation) => this.#attempt(definition, invocation),
      configOf: (name) => this.#functions.get(name)?.asyncConfig ?? defaultAsyncConfig,
      queues: options.queues,
      functions: this,
      chaos: options.chaos,
      retryBaseMs: options.asyncRetryBaseMs ?? 1000,
      now: Date.now,
      log: options.log,
    });
    this.providers = {
      'AWS::Lambda::Function': (request) => Promise.resolve(this.#addFunction(request)),
      'AWS::Lambda::EventInvokeConfig': (request) => Promise.resolve(this.#configureAsync(request)),
      'AWS::Lambda::EventSourceMapping': (request) => Promise.resolve(this.#addEventSource(request)),
      'AWS::Lambda::Version': (request) => Promise.resolve(provideVersion(request, options.place)),
      'AWS::Lambda::Alias': (request) => Promise.resolve(provideAlias(request, options.place)),
    };
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await handleInvokeRequest(this, request, response);
  }

  async invoke(functionArn: string, payload: string): Promise<InvokeResult> {
    const outcome = await this.execute(functionArn, payload);
    if (outcome.kind !== 'failed') return outcome;
    const { errorType, errorMessage } = outcome.failure;
    return { kind: 'functionError', errorType, errorMessage };
  }

  invokeAsync(functionArn: string, payload: string): Promise<void> {
    return new Promise((resolve) => {
      const { definition } = this.find(functionArn);
      this.#delivery.enqueue(definition, this.#invocation(definition, functionArn, payload));
      resolve();
    });
  }

  /** As `invoke`, with the stack trace of a failure and the caller's client context. */
  async execute(functionArn: string, payload: string, clientContext?: unknown): Promise<AttemptOutcome> {
    const { definition } = this.find(functionArn);
    return this.#attempt(definition, this.#invocation(definition, functionArn, payload, clientContext));
  }

  /** The function, by name or ARN. Throws `ResourceNotFoundException` when there is none. */
  find(functionArn: string): FunctionState {
    const { name } = parseFunctionReference(functionArn);
    const state = this.#functions.get(name);
    if (state) return state;
    const { region, accountId } = this.#options.place;
    const arn = `arn:aws:lambda:${region}:${accountId}:function:${name}`;
    throw new EmbeddedAwsError('ResourceNotFoundException', `Function not found: ${arn}`);
  }

  /** The newest lines (at least 1000, if it wrote so many) that the function printed. */
  logs(functionName: string): readonly string[] {
    return this.find(functionName).output.lines();
  }

  /** From now on functions run the code that now lies in their asset directories. */
  reload(): void {
    this.#pool.retire();
  }

  /** True when no event, and no batch of a queue, waits or runs. */
  get quiet(): boolean {
    return this.#delivery.quiet && this.#pollers.every((poller) => poller.quiet);
  }

  /** Resolves when no asynchronous invocation, and no batch of a queue, waits or runs. */
  async idle(): Promise<void> {
    while (!this.quiet) {
      await this.#delivery.idle();
      await Promise.all(this.#pollers.map((poller) => poller.idle()));
    }
  }

  async close(): Promise<void> {
    for (const poller of this.#pollers) poller.stop();
    this.#delivery.close();
    await this.#pool.close();
    await this.#code.close();
  }

  #invocation(
    definition: FunctionDefinition,
    reference: string,
    payload: string,
    clientContext?: unknown,
  ): Invocation {
    const { qualifier } = parseFunctionReference(reference);
    const functionArn = qualifier === undefined ? definition.arn : `${definition.arn}:${qualifier}`;
    return { requestId: randomUUID(), functionArn, payload, clientContext };
  }

  async #attempt(definition: FunctionDefinition, invocation: Invocation): Promise<AttemptOutcome> {
    const state = this.find(definition.name);
    if (state.running >= (definition.reservedConcurrency ?? Infinity)) return { kind: 'throttled' };
    state.running += 1;
    try {
      return await this.#runOnThread(definition, invocation);
    } finally {
      state.running -= 1;
    }
  }

  async #runOnThread(definition: FunctionDefinition, invocation: Invocation): Promise<AttemptOutcome> {
    const thread = await this.#pool.acquire(definition);
    try {
      return await thread.run(invocation);
    } finally {
      this.#pool.release(thread);
    }
  }

  #startThread(definition: FunctionDefinition): FunctionThread {
    const { place, endpoint } = this.#options;
    const { output } = this.find(definition.name);
    const environment = functionEnvironment(definition, place, endpoint());
    this.#options.log('lambda.threadStarted', { functionName: definition.name });
    return new FunctionThread({ definition, environment, onOutput: (text) => output.write(text) });
  }

  #addFunction(request: ResourceRequest): ProvisionedResource {
    const definition = parseFunction(request, this.#options.place, (code) =>
      this.#code.directoryOf(request, code),
    );
    const output = new FunctionOutput(definition.name, this.#options.log);
    this.#functions.set(definition.name, { definition, output, asyncConfig: defaultAsyncConfig, running: 0 });
    return { ref: definition.name, attributes: { Arn: definition.arn } };
  }

  #configureAsync(request: ResourceRequest): ProvisionedResource {
    const { functionName, config } = parseAsyncConfig(request);
    this.find(functionName).asyncConfig = config;
    return { ref: `${request.stackName}-${request.logicalId}`, attributes: {} };
  }

  #addEventSource(request: ResourceRequest): ProvisionedResource {
    const source = parseEventSource(request);
    const { queues, place, log } = this.#options;
    const { receive, remove } = queues;
    if (!receive || !remove) throw missingQueues(request);
    if (source) {
      this.find(source.functionName);
      const receiver = { receive: receive.bind(queues), remove: remove.bind(queues) };
      const invoke = (name: string, payload: string): Promise<InvokeResult> => this.invoke(name, payload);
      const poller = new QueuePoller({ source, queues: receiver, invoke, place, log });
      this.#pollers.push(poller);
      void poller.run();
    }
    const ref = `${request.stackName}-${request.logicalId}`;
    return { ref, attributes: { Id: ref, EventSourceMappingArn: ref } };
  }
}
