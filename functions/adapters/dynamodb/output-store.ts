/** Outputs of an ended attempt, in items of their own: a job with a thousand pictures keeps a small job item. */
import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { missingOutputSchema, storedOutputSchema } from '../../../shared-types/index.ts';
import type { OutputStore } from '../../core/ports.ts';
import { expiryOf, readRow, type StoreOptions } from './table.ts';

/** Outputs of one item: far below DynamoDB's 400 KB for names of any length. */
const CHUNK = 50;

const chunkRowSchema = z.object({
  outputs: z.array(storedOutputSchema),
  missingOutputs: z.array(missingOutputSchema),
});

const chunksOf = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, index) =>
    items.slice(index * CHUNK, (index + 1) * CHUNK),
  );

const prefixOf = (attempt: number): string => `OUTPUTS#${String(attempt).padStart(4, '0')}#`;

export const createOutputStore = ({
  table: { client, tableName: TableName },
  clock,
}: StoreOptions): OutputStore => ({
  put: async (jobId, attempt, { outputs, missingOutputs }) => {
    const chunks = [
      ...chunksOf(outputs).map((chunk) => ({ outputs: chunk, missingOutputs: [] })),
      ...chunksOf(missingOutputs).map((chunk) => ({ outputs: [], missingOutputs: chunk })),
    ];
    for (const [index, chunk] of chunks.entries()) {
      const sk = `${prefixOf(attempt)}${String(index).padStart(5, '0')}`;
      const Item = { pk: `JOB#${jobId}`, sk, ...chunk, expiresAt: expiryOf(clock.now()) };
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
    return {
      outputs: rows.flatMap((row) => row.outputs),
      missingOutputs: rows.flatMap((row) => row.missingOutputs),
    };
  },
});
