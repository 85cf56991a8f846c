/**
 * Workflows that users keep: one small item each (`USER#<userId>` / `WORKFLOW#<id>`), and its text, compressed, in
 * items of its own (`WORKFLOW#<userId>` / `<id>#<version>#<part>`), so that a list reads no text. The small item names
 * the version: a put shows whole or not at all. They are kept until they are removed.
 */
import { DeleteCommand, GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import * as z from 'zod';
import { PipelineError } from '../../core/errors.ts';
import type { StoredWorkflow, StoredWorkflowStore } from '../../core/ports.ts';
import { readRow, readRows, type StoreOptions } from './table.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Bytes of text in an item, which may have 400 KB in all. */
const PART_BYTES = 300 * 1024;

const rowSchema = z.object({
  userId: z.string(),
  workflowId: z.string(),
  version: z.string(),
  partCount: z.number().int().min(1),
  // As JSON text: the names in it are the user's, and some names mean something to parsers of maps.
  parameters: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
type Row = z.infer<typeof rowSchema>;

const partSchema = z.object({ bytes: z.instanceof(Uint8Array) });
const parametersSchema = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

const keyOf = (userId: string, workflowId: string) => ({
  pk: `USER#${userId}`,
  sk: `WORKFLOW#${workflowId}`,
});
const partKey = ({ userId, workflowId, version }: Omit<Row, 'parameters'>, part: number) => ({
  pk: `WORKFLOW#${userId}`,
  sk: `${workflowId}#${version}#${String(part).padStart(3, '0')}`,
});

const listed = ({ userId, workflowId, parameters, createdAt, updatedAt }: Row) => ({
  userId,
  workflowId,
  parameters: parametersSchema.parse(JSON.parse(parameters)),
  createdAt,
  updatedAt,
});

export const createStoredWorkflowStore = ({
  table: { client, tableName: TableName },
  logger,
}: Omit<StoreOptions, 'clock'>): StoredWorkflowStore => {
  const readMeta = async (userId: string, workflowId: string): Promise<Row | undefined> => {
    const Key = keyOf(userId, workflowId);
    const { Item } = await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
    return Item === undefined ? undefined : readRow(rowSchema, Item);
  };

  /** Undefined when a part is gone: another put took the place of this version meanwhile. */
  const readText = async (row: Row): Promise<string | undefined> => {
    const read = async (part: number): Promise<Uint8Array | undefined> => {
      const Key = partKey(row, part);
      const { Item } = await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
      return Item === undefined ? undefined : readRow(partSchema, Item).bytes;
    };
    const parts = await Promise.all(Array.from({ length: row.partCount }, (_, part) => read(part)));
    const whole = parts.filter((part) => part !== undefined);
    return whole.length < parts.length
      ? undefined
      : (await decompress(Buffer.concat(whole))).toString('utf8');
  };

  const removeText = async (row: Row): Promise<void> => {
    for (let part = 0; part < row.partCount; part += 1) {
      await client.send(new DeleteCommand({ TableName, Key: partKey(row, part) }));
    }
  };

  const writeText = async (row: Row, bytes: Buffer): Promise<void> => {
    for (let part = 0; part < row.partCount; part += 1) {
      const piece = bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
      const Item = { ...partKey(row, part), bytes: piece };
      await client.send(new PutCommand({ TableName, Item }));
    }
  };

  /** Answers what was there before. `createdAt` of the first put stays. */
  const writeMeta = async ({ createdAt, ...row }: Row): Promise<Row | undefined> => {
    const { userId, workflowId, version, partCount, parameters, updatedAt } = row;
    const { Attributes } = await client.send(
      new UpdateCommand({
        TableName,
        Key: keyOf(userId, workflowId),
        UpdateExpression:
          'SET userId = :u, workflowId = :w, version = :v, partCount = :c, #p = :p, updatedAt = :n, createdAt = if_not_exists(createdAt, :f)',
        ExpressionAttributeNames: { '#p': 'parameters' },
        ExpressionAttributeValues: {
          ':u': userId,
          ':w': workflowId,
          ':v': version,
          ':c': partCount,
          ':p': parameters,
          ':n': updatedAt,
          ':f': createdAt,
        },
        ReturnValues: 'ALL_OLD',
      }),
    );
    return Attributes === undefined ? undefined : readRow(rowSchema, Attributes);
  };

  const get = async (userId: string, workflowId: string): Promise<StoredWorkflow | undefined> => {
    // A put in between removes the text that the first look named; two such in a row are no accident.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const row = await readMeta(userId, workflowId);
      if (row === undefined) return undefined;
      const workflowText = await readText(row);
      if (workflowText !== undefined) return { ...listed(row), workflowText };
    }
    throw new PipelineError('stored-workflow.text', 'the text of a stored workflow is not there', {
      retryable: true,
    });
  };

  return {
    put: async ({ workflowText, parameters, ...workflow }) => {
      const bytes = await compress(workflowText);
      // New each time: else removing what was replaced could remove what another request just put.
      const version = randomUUID();
      const partCount = Math.ceil(bytes.length / PART_BYTES);
      const row = { ...workflow, version, partCount, parameters: JSON.stringify(parameters) };
      await writeText(row, bytes);
      const before = await writeMeta(row);
      if (before !== undefined) await removeText(before);
      return before === undefined ? 'created' : 'replaced';
    },
    get,
    list: async (userId) => {
      const rows: Row[] = [];
      let ExclusiveStartKey: Record<string, unknown> | undefined;
      do {
        const page = await client.send(
          new QueryCommand({
            TableName,
            KeyConditionExpression: 'pk = :user AND begins_with(sk, :prefix)',
            ExpressionAttributeValues: { ':user': `USER#${userId}`, ':prefix': 'WORKFLOW#' },
            ConsistentRead: true,
            ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
          }),
        );
        rows.push(...readRows(rowSchema, page.Items ?? [], logger));
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey !== undefined);
      return rows.map(listed);
    },
    remove: async (userId, workflowId) => {
      const { Attributes } = await client.send(
        new DeleteCommand({ TableName, Key: keyOf(userId, workflowId), ReturnValues: 'ALL_OLD' }),
      );
      if (Attributes === undefined) return false;
      await removeText(readRow(rowSchema, Attributes));
      return true;
    },
  };
};
