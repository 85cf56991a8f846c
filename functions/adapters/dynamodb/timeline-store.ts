/** Node transitions of an attempt: one item an event, so that a second delivery overwrites it with itself. */
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { TimelineStore } from '../../core/ports.ts';
import { expiryOf, type StoreOptions } from './table.ts';

const digits = (value: number, length: number): string => String(value).padStart(length, '0');

export const createTimelineStore = ({
  table: { client, tableName: TableName },
  clock,
}: StoreOptions): TimelineStore => ({
  append: async (jobId, attempt, sequence, transitions) => {
    const sk = `NODES#${digits(attempt, 4)}#${digits(sequence, 10)}`;
    const Item = { pk: `JOB#${jobId}`, sk, attempt, sequence, transitions, expiresAt: expiryOf(clock.now()) };
    await client.send(new PutCommand({ TableName, Item }));
  },
});
