/** A user's share as it is stored, and the one write that makes it or changes an attribute of it. */
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { UserShare } from '../../core/ports.ts';
import { createExpression } from './expression.ts';
import { expiryOf, type StoreOptions } from './table.ts';

export const SHARES = 'SHARES';
export const settingsKey = { pk: SHARES, sk: '#settings' };

/** No user's key is that of the settings, whatever an issuer of tokens calls its users. */
export const shareKey = (userId: string) => ({
  pk: SHARES,
  sk: userId.startsWith('#') ? `#${userId}` : userId,
});

const chargeSchema = z.object({
  jobId: z.string(),
  attempt: z.number().int(),
  chargedMs: z.number(),
});

export const shareRowSchema = z
  .object({
    userId: z.string(),
    waitingStamp: z.string().nullable().default(null),
    paused: z.boolean(),
    finishMs: z.number(),
    startMs: z.number(),
    averageMs: z.number().nullable(),
    averagedJobs: z.number().int().optional(),
    // A map by job, so that one write compares its size and its keys.
    active: z.record(z.string(), chargeSchema),
    // Counts claims and releases, so that a release knows whether the row is as it was read.
    revision: z.number().int(),
  })
  .transform(({ active, ...row }) => ({
    ...row,
    active: Object.values(active).sort((a, b) => (a.jobId < b.jobId ? -1 : 1)),
  }));

export const settingsRowSchema = z.object({ paused: z.boolean() });

export const shareOfRow = (row: z.infer<typeof shareRowSchema>): UserShare => {
  const { revision: _, ...share } = row;
  return share;
};

/** A new share, attribute by attribute: whoever comes first makes it. */
const FRESH: Readonly<Record<string, unknown>> = {
  paused: false,
  finishMs: 0,
  startMs: 0,
  averageMs: null,
  active: {},
  revision: 0,
};

/** Sets attributes of a share, which is made when it is not there, and keeps it for another thirty days. */
export const touchShare = async (
  { table: { client, tableName: TableName }, clock }: StoreOptions,
  userId: string,
  set: Partial<Pick<UserShare, 'waitingStamp' | 'paused'>>,
): Promise<void> => {
  const { name, value, names, values } = createExpression();
  const fresh = Object.entries({ ...FRESH, userId }).filter(([attribute]) => !Object.hasOwn(set, attribute));
  const sets = [
    ...Object.entries(set).map(([attribute, content]) => `${name(attribute)} = ${value(content)}`),
    ...fresh.map(
      ([attribute, content]) => `${name(attribute)} = if_not_exists(${name(attribute)}, ${value(content)})`,
    ),
    `${name('expiresAt')} = ${value(expiryOf(clock.now()))}`,
  ];
  await client.send(
    new UpdateCommand({
      TableName,
      Key: shareKey(userId),
      UpdateExpression: `SET ${sets.join(', ')}`,
      ExpressionAttributeNames: names(),
      ExpressionAttributeValues: values(),
    }),
  );
};
