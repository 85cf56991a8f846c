/**
 * Lets the page of `npm start` watch the bus: a rule for everything and a queue behind it, as any consumer would have
 * them, in a stack of its own beside the pipeline's. The pipeline's own template stays as it is deployed.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { loadCloudAssembly } from '../local/template/cloud-assembly.ts';
import { DemoError } from './demo-error.ts';

const STACK = 'page-bus-watch';
const QUEUE_OUTPUT = 'PageBusWatchQueueUrl';

const busNameOf = async (assembly: string): Promise<string> => {
  const { stacks } = await loadCloudAssembly(assembly);
  const resources = stacks.flatMap(({ template }) => Object.values(template.Resources));
  const name = resources.find(({ Type }) => Type === 'AWS::Events::EventBus')?.Properties['Name'];
  if (typeof name === 'string') return name;
  throw new DemoError('assembly', `the template in ${assembly} has no event bus with a name`);
};

const watchTemplate = (busName: string) => ({
  Resources: {
    // What nobody watches is gone after a minute, and until then a late watcher still sees it.
    Queue: { Type: 'AWS::SQS::Queue', Properties: { MessageRetentionPeriod: 60, VisibilityTimeout: 30 } },
    Rule: {
      Type: 'AWS::Events::Rule',
      Properties: {
        EventBusName: busName,
        EventPattern: { source: [{ prefix: '' }] },
        Targets: [{ Id: 'queue', Arn: { 'Fn::GetAtt': ['Queue', 'Arn'] } }],
      },
    },
  },
  Outputs: { [QUEUE_OUTPUT]: { Value: { Ref: 'Queue' } } },
});

/**
 * Writes an assembly that holds the given one and the watching stack beside it; answers its folder.
 * @throws DemoError when there is no bus to watch
 */
export const withBusWatch = async (assembly: string, folder: string): Promise<string> => {
  const busName = await busNameOf(assembly);
  await mkdir(folder, { recursive: true });
  const directoryName = path.relative(folder, assembly);
  const artifacts = {
    pipeline: { type: 'cdk:cloud-assembly', properties: { directoryName } },
    [STACK]: {
      type: 'aws:cloudformation:stack',
      dependencies: ['pipeline'],
      properties: { templateFile: 'watch.template.json', stackName: STACK },
    },
  };
  await writeFile(path.join(folder, 'watch.template.json'), JSON.stringify(watchTemplate(busName)));
  await writeFile(path.join(folder, 'manifest.json'), JSON.stringify({ version: '55.0.0', artifacts }));
  return folder;
};

/** Gets each event of the bus as JSON text. */
export type EventListener = (event: string) => void;

export interface BusWatch {
  /** Answers how to leave. The queue is asked only while somebody listens. */
  subscribe(listener: EventListener): () => void;
  close(): Promise<void>;
}

export interface BusWatchOptions {
  readonly endpoint: string;
  readonly region: string;
  /** Outputs by stack name, of an assembly that `withBusWatch` made. */
  readonly outputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const WAIT_SECONDS = 20;
const AFTER_ERROR_MS = 1000;

class QueueWatch implements BusWatch {
  readonly #client: SQSClient;
  readonly #queueUrl: string;
  readonly #listeners = new Set<EventListener>();
  readonly #closing = new AbortController();
  #reading: Promise<void> | undefined;

  constructor(client: SQSClient, queueUrl: string) {
    this.#client = client;
    this.#queueUrl = queueUrl;
  }

  subscribe(listener: EventListener): () => void {
    const own: EventListener = (event) => listener(event);
    this.#listeners.add(own);
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return () => void this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#closing.abort();
    await this.#reading;
    this.#client.destroy();
  }

  async #read(): Promise<void> {
    while (this.#listeners.size > 0 && !this.#closing.signal.aborted) {
      await this.#receive().catch(() => this.#pause());
    }
  }

  /** The queue may be gone for a moment while everything stops; a page that listens must not end the demo. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, AFTER_ERROR_MS);
      this.#closing.signal.addEventListener('abort', done, { once: true });
      if (this.#closing.signal.aborted) done();
    });
  }

  async #receive(): Promise<void> {
    const request = { QueueUrl: this.#queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: WAIT_SECONDS };
    const abortSignal = this.#closing.signal;
    const { Messages = [] } = await this.#client.send(new ReceiveMessageCommand(request), { abortSignal });
    for (const { Body } of Messages) for (const listener of this.#listeners) listener(Body ?? '');
    const Entries = Messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
    if (Entries.length === 0) return;
    const taken = { QueueUrl: this.#queueUrl, Entries };
    await this.#client.send(new DeleteMessageBatchCommand(taken), { abortSignal });
  }
}

/** Opens nothing by itself. @throws DemoError when the assembly was made without the watch */
export const createBusWatch = ({ endpoint, region, outputs }: BusWatchOptions): BusWatch => {
  const queueUrl = outputs[STACK]?.[QUEUE_OUTPUT];
  if (queueUrl === undefined) throw new DemoError('outputs', `there is no queue of the stack ${STACK}`);
  // The embedded AWS asks for credentials and looks at none.
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return new QueueWatch(new SQSClient({ endpoint, region, credentials }), queueUrl);
};
