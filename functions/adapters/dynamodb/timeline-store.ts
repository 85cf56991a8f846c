/** Node transitions of an attempt: one item an event, so that a second delivery overwrites it with itself. */
import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { NodeTransition, TimelineStore } from '../../core/ports.ts';
import { expiryOf, readRows, type StoreOptions } from './table.ts';

const rowSchema = z.object({
  attempt: z.number().int().min(0),
  transitions: z.array(
    z.object({
      nodeId: z.string(),
      nodeName: z.string(),
      nodeType: z.string(),
      state: z.enum(['executing', 'executed']),
      at: z.string(),
      durationMs: z.number().exactOptional(),
      cached: z.boolean().exactOptional(),
    }),
  ),
});

const PREFIX = 'NODES#';
const digits = (value: number, length: number): string => String(value).padStart(length, '0');

export const createTimelineStore = ({
  table: { client, tableName: TableName },
  clock,
  logger,
}: StoreOptions): TimelineStore => ({
  append: async (jobId, attempt, sequence, transitions) => {
    const sk = `${PREFIX}${digits(attempt, 4)}#${digits(sequence, 10)}`;
    const Item = { pk: `JOB#${jobId}`, sk, attempt, sequence, transitions, expiresAt: expiryOf(clock.now()) };
    await client.send(new PutCommand({ TableName, Item }));
  },
  list: async (jobId, max) => {
    const found: (NodeTransition & { readonly attempt: number })[] = [];
    let ExclusiveStartKey: Record<string, unknown> | undefined;
    do {
      const page = await client.send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: 'pk = :job AND begins_with(sk, :nodes)',
          ExpressionAttributeValues: { ':job': `JOB#${jobId}`, ':nodes': PREFIX },
          ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
        }),
      );
      for (const { attempt, transitions } of readRows(rowSchema, page.Items ?? [], logger)) {
        found.push(...transitions.map((one) => ({ ...one, attempt })));
      }
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined && found.length < max);
    return found.slice(0, max);
  },
});
