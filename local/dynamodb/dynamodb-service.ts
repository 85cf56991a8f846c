import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import dynalite from 'dynalite';
import * as z from 'zod';
import type {
  AwsPlace,
  AwsService,
  Log,
  ProvisionedResource,
  ResourceProviders,
  ResourceRequest,
} from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { bufferedRequest, callDynalite } from './in-process-request.ts';
import { parseTable, sameShape } from './table-definition.ts';
import type { TableDefinition } from './table-definition.ts';
import type { ExpiringTable } from './time-to-live.ts';
import { sweepExpired } from './time-to-live.ts';

export interface DynamoDbOptions {
  readonly place: AwsPlace;
  /** Folder that keeps the tables; in memory when missing. */
  readonly dataDir?: string;
  readonly log: Log;
  /** Milliseconds between two sweeps for expired items. Default a minute. */
  readonly sweepEveryMs?: number;
  readonly now?: () => number;
}

const statusSchema = z.object({ Table: z.object({ TableStatus: z.string() }) });

/** DynamoDB by dynalite, in this process; tables from the template, expired items swept away. */
export class DynamoDbService implements AwsService {
  readonly signingName = 'dynamodb';
  readonly providers: ResourceProviders = {
    'AWS::DynamoDB::Table': (request) => this.#provide(request),
    'AWS::DynamoDB::GlobalTable': (request) => this.#provide(request),
  };
  readonly #options: DynamoDbOptions;
  readonly #expiring: ExpiringTable[] = [];
  readonly #running = new Set<Promise<unknown>>();
  readonly #sweeper: NodeJS.Timeout;
  #server: Promise<Server> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: DynamoDbOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => void this.sweep(), options.sweepEveryMs ?? 60_000).unref();
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request).catch(() => undefined);
    const server = body && !this.#closed ? await this.#start() : undefined;
    // It may have been closed while it started.
    if (!body || !server || this.#closed) {
      response.destroy();
      return;
    }
    const answered = finished(response).catch(() => untilEnded(response));
    server.emit('request', bufferedRequest(request, body), response);
    await this.#track(answered);
  }

  /** Deletes expired items now. Resolves to how many went; a table that cannot be read is logged. */
  async sweep(): Promise<number> {
    const swept = this.#expiring.map((table) =>
      sweepExpired(
        (operation, input) => this.#call(operation, input),
        table,
        (this.#options.now ?? Date.now)(),
      ),
    );
    const results = await this.#track(Promise.allSettled(swept));
    for (const result of results) {
      if (result.status === 'rejected')
        this.#options.log('dynamodb.sweepFailed', { error: String(result.reason) });
    }
    return results.reduce((sum, result) => sum + (result.status === 'fulfilled' ? result.value : 0), 0);
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop();
    return this.#closed;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#sweeper);
    // dynalite ends the process when its store closes under an operation.
    await Promise.allSettled(this.#running);
    const server = await this.#server;
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  async #provide(request: ResourceRequest): Promise<ProvisionedResource> {
    const { definition, timeToLiveAttribute } = parseTable(request);
    const { TableName, KeySchema } = definition;
    const existing = await this.#describe(TableName);
    if (existing === undefined) await this.#create(definition);
    else if (!sameShape(existing, definition)) throw changedTable(TableName, this.#options.dataDir);
    if (timeToLiveAttribute !== undefined) {
      const keyNames = KeySchema.map(({ AttributeName }) => AttributeName);
      this.#expiring.push({ tableName: TableName, keyNames, attribute: timeToLiveAttribute });
    }
    const { region, accountId } = this.#options.place;
    const Arn = `arn:aws:dynamodb:${region}:${accountId}:table/${TableName}`;
    return { ref: TableName, attributes: { Arn, TableId: TableName } };
  }

  async #create(definition: TableDefinition): Promise<void> {
    await this.#call('CreateTable', definition);
    let status = 'CREATING';
    while (status !== 'ACTIVE') {
      status = statusSchema.parse(await this.#describe(definition.TableName)).Table.TableStatus;
    }
  }

  async #describe(TableName: string): Promise<unknown> {
    try {
      return await this.#call('DescribeTable', { TableName });
    } catch (error) {
      if (error instanceof EmbeddedAwsError && error.code === 'ResourceNotFoundException') return undefined;
      throw error;
    }
  }

  async #call(operation: string, input: object): Promise<unknown> {
    return this.#track(callDynalite(await this.#start(), operation, input));
  }

  async #track<Value>(work: Promise<Value>): Promise<Value> {
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }

  #start(): Promise<Server> {
    this.#server ??= openDynalite(this.#options);
    return this.#server;
  }
}

/** The caller is gone, yet dynalite works on its store until it has answered, if into nowhere. */
async function untilEnded(response: ServerResponse): Promise<void> {
  while (!response.writableEnded) await delay(5);
}

/** dynalite only closes its store if it listened, so it does, on a port that nobody is told. */
async function openDynalite({ place, dataDir }: DynamoDbOptions): Promise<Server> {
  if (dataDir !== undefined) mkdirSync(dataDir, { recursive: true });
  const { AWS_REGION: region, AWS_ACCOUNT_ID: account } = process.env;
  process.env['AWS_REGION'] = place.region;
  process.env['AWS_ACCOUNT_ID'] = place.accountId;
  // It reads the place of its ARNs from the environment, once, here.
  const delays = { createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 };
  const server = dynalite({ ...delays, ...(dataDir === undefined ? {} : { path: dataDir }) });
  restore('AWS_REGION', region);
  restore('AWS_ACCOUNT_ID', account);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

function changedTable(name: string, dataDir: string | undefined): EmbeddedAwsError {
  const problem = `Table ${name} exists with other keys or indexes than the template now asks for`;
  return new EmbeddedAwsError('TableChanged', `${problem}; delete ${dataDir ?? 'the data'} to start anew`);
}
