/**
 * The one table. `pk` and `sk` are strings; `expiresAt` (seconds since the epoch) is its TTL attribute.
 *
 * | item | pk | sk |
 * | --- | --- | --- |
 * | job | `JOB#<jobId>` | `JOB` |
 * | node transitions of one event | `JOB#<jobId>` | `NODES#<attempt>#<sequence>` |
 * | outputs of an ended attempt | `JOB#<jobId>` | `OUTPUTS#<attempt>#<chunk>` |
 * | callback to be made | `JOB#<jobId>` | `CALLBACK#…` |
 * | callback that is due | `CALLBACKS` | `<dueAt>#<id>` |
 * | pending job | `QUEUE#<userId>` | `<rank>#<queuedAt>#<jobId>` |
 * | share of a user | `SHARES` | `<userId>` |
 * | settings of the queue | `SHARES` | `#settings` |
 * | turn of the dispatcher | `DISPATCH` | `TURN` |
 * | worker | `WORKERS` | `<workerId>` |
 * | instance of a provider | `INSTANCES` | `<pool>#<workerId>` |
 * | connection | `CONNECTION#<connectionId>` | `CONNECTION` |
 * | what a workflow, or each class, takes | `PROFILE#<hash>`, `PROFILE#CLASS` | `<kind of worker>` |
 * | one-time ticket | `TICKET#<secretHash>` | `TICKET` |
 * | API key | `APIKEY#<secretHash>` | `APIKEY` |
 * | API key of a user | `USER#<userId>` | `APIKEY#<keyId>` |
 * | Idempotency-Key of a user | `USER#<userId>` | `IDEMPOTENCY#<keyHash>` |
 * | stored workflow | `USER#<userId>` | `WORKFLOW#<workflowId>` |
 *
 * Indexes: `by-user` (`userId`, `createdKey` = `<createdAt>#<jobId>`) and `by-due` (`due` = `DUE`, `dueAt`), both over
 * jobs alone; a job that is not due has neither `due` nor `dueAt`.
 */
import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb';
import type * as z from 'zod';
import { PipelineError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';

export interface Table {
  readonly tableName: string;
  readonly client: DynamoDBDocumentClient;
}

export interface StoreOptions {
  readonly table: Table;
  readonly clock: Clock;
  /** Told of rows that a list leaves out. Without it such a row makes the list throw. */
  readonly logger?: Logger;
}

/** Names of the indexes; they lag, so nothing that must be right is decided by them. */
export const BY_USER_INDEX = 'by-user';
export const BY_DUE_INDEX = 'by-due';

/** Jobs and all that belongs to them are kept this long after the last change. */
const KEEP_DAYS = 30;

/** Value of `expiresAt` for something that is kept `days` from `nowMs` on. */
export const expiryOf = (nowMs: number, days = KEEP_DAYS): number => Math.floor(nowMs / 1000) + days * 86_400;

/** Endpoint, region and credentials come from the standard AWS variables. */
export const createTable = ({ tableName }: { readonly tableName: string }): Table => ({
  tableName,
  client: DynamoDBDocumentClient.from(
    new DynamoDBClient({
      maxAttempts: 6,
      // DynamoDB answers in milliseconds: a connection that died is worth two seconds of a function, not its whole time.
      requestHandler: { connectionTimeout: 1000, requestTimeout: 2000, throwOnRequestTimeout: true },
    }),
    { marshallOptions: { removeUndefinedValues: true } },
  ),
});

/** Runs a conditional write; undefined when its condition did not hold, which is a normal answer. */
export const whenConditionHolds = async <T>(write: Promise<T>): Promise<T | undefined> => {
  try {
    return await write;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
};

/**
 * Reads a stored row as what it should be.
 * @throws PipelineError `row.invalid`, naming the key and the field
 */
export const readRow = <S extends z.ZodType>(
  schema: S,
  row: Readonly<Record<string, unknown>>,
): z.infer<S> => {
  const read = schema.safeParse(row);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  const where = `${String(row['pk'])} / ${String(row['sk'])}`;
  const what = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`;
  throw new PipelineError('row.invalid', `stored item ${where}: ${what}`, { retryable: false });
};

/**
 * Reads the rows of a list that others depend on: one that does not read is logged and left out, so that it cannot
 * stop every pass of the dispatcher.
 * @throws PipelineError `row.invalid` when there is no logger
 */
export const readRows = <S extends z.ZodType>(
  schema: S,
  rows: readonly Readonly<Record<string, unknown>>[],
  logger: Logger | undefined,
): z.infer<S>[] =>
  rows.flatMap((row) => {
    try {
      return [readRow(schema, row)];
    } catch (error) {
      if (logger === undefined || !(error instanceof PipelineError)) throw error;
      logger.error(error.code, { reason: error.message });
      return [];
    }
  });

/** One page of a query after another, each as long as DynamoDB makes it, until the reader stops. */
export async function* queryPages(
  { client, tableName: TableName }: Table,
  input: Omit<QueryCommandInput, 'TableName'>,
): AsyncGenerator<readonly Readonly<Record<string, unknown>>[]> {
  let start = input.ExclusiveStartKey;
  do {
    const key = start === undefined ? {} : { ExclusiveStartKey: start };
    const page = await client.send(new QueryCommand({ ...input, TableName, ...key }));
    yield page.Items ?? [];
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
}
