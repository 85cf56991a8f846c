/** Outputs of an ended attempt, in items of their own: a job with a thousand pictures keeps a small job item. */
import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import {
  missingOutputSchema,
  storedOutputSchema,
  type MissingOutput,
  type StoredOutput,
} from '../../../shared-types/index.ts';
import type { JobOutputs } from '../../core/job.ts';
import type { OutputStore } from '../../core/ports.ts';
import { expiryOf, readRow, type StoreOptions } from './table.ts';

/** Bytes of JSON of one item: half of DynamoDB's 400 KB. */
const CHUNK_BYTES = 200 * 1024;

const chunkRowSchema = z.object({
  // Of the whole list: what a longer list of an earlier write left behind is not read.
  chunkCount: z.number().int().min(1),
  outputs: z.array(storedOutputSchema),
  missingOutputs: z.array(missingOutputSchema),
});

type Chunk = { outputs: StoredOutput[]; missingOutputs: MissingOutput[] };

/** At least one, so that a shorter list, or none, replaces what was there. */
const chunksOf = ({ outputs, missingOutputs }: JobOutputs): Chunk[] => {
  const chunks: Chunk[] = [{ outputs: [], missingOutputs: [] }];
  let bytes = 0;
  const chunkFor = (item: StoredOutput | MissingOutput): Chunk => {
    const size = Buffer.byteLength(JSON.stringify(item));
    if (bytes > 0 && bytes + size > CHUNK_BYTES) {
      chunks.push({ outputs: [], missingOutputs: [] });
      bytes = 0;
    }
    bytes += size;
    return chunks[chunks.length - 1] as Chunk;
  };
  for (const output of outputs) chunkFor(output).outputs.push(output);
  for (const missing of missingOutputs) chunkFor(missing).missingOutputs.push(missing);
  return chunks;
};

const prefixOf = (attempt: number): string => `OUTPUTS#${String(attempt).padStart(4, '0')}#`;

export const createOutputStore = ({
  table: { client, tableName: TableName },
  clock,
}: StoreOptions): OutputStore => ({
  put: async (jobId, attempt, stored) => {
    const chunks = chunksOf(stored);
    for (const [index, chunk] of chunks.entries()) {
      const sk = `${prefixOf(attempt)}${String(index).padStart(5, '0')}`;
      const Item = {
        pk: `JOB#${jobId}`,
        sk,
        chunkCount: chunks.length,
        ...chunk,
        expiresAt: expiryOf(clock.now()),
      };
      await client.send(new PutCommand({ TableName, Item }));
    }
  },
  get: async (jobId, attempt) => {
    const rows: z.infer<typeof chunkRowSchema>[] = [];
    let ExclusiveStartKey: Record<string, unknown> | undefined;
    do {
      const page = await client.send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: 'pk = :job AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: { ':job': `JOB#${jobId}`, ':prefix': prefixOf(attempt) },
          ConsistentRead: true,
          ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
        }),
      );
      rows.push(...(page.Items ?? []).map((item) => readRow(chunkRowSchema, item)));
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
    const current = rows.slice(0, rows[0]?.chunkCount ?? 0);
    return {
      outputs: current.flatMap((row) => row.outputs),
      missingOutputs: current.flatMap((row) => row.missingOutputs),
    };
  },
});
