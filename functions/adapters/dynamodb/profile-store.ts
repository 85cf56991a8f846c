/**
 * Profiles of what workflows take: `PROFILE#<workflow hash>` or `PROFILE#CLASS`, one item a kind of worker, below 2 KB.
 * The times stand in it as JSON text, for node ids are the user's and some names mean something to parsers of maps.
 */
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { ProfileKey, ProfileStore } from '../../core/estimate/ports.ts';
import { statTexts, type Profile, type Stat, type Stats } from '../../core/estimate/profile.ts';
import { PipelineError } from '../../core/errors.ts';
import { expiryOf, readRow, whenConditionHolds, type StoreOptions } from './table.ts';

const KEEP_DAYS = 30;

const time = z.number().min(0);
const statSchema = z
  .tuple([time, time, z.number().int().min(1)])
  .transform(([mean, deviation, count]): Stat => ({ mean, deviation, count }));

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

const statsSchema = z
  .string()
  .transform(readJson)
  .pipe(z.array(z.tuple([z.string(), statSchema])))
  .transform((entries): Stats => new Map(entries));

const rowSchema = z.object({
  runs: z.number().int().min(1),
  lastJobId: z.string(),
  warm: statsSchema,
  cold: statsSchema,
  other: statSchema.optional(),
  wall: statSchema.optional(),
});

const keyOf = ({ of, kind }: ProfileKey) => ({ pk: `PROFILE#${of}`, sk: kind });

const tupleOf = (stat: Stat): readonly number[] => statTexts(new Map([['', stat]]))[0]?.[1] ?? [];

const itemOf = ({ runs, lastJobId, warm, cold, other, wall }: Profile) => ({
  runs,
  lastJobId,
  warm: JSON.stringify(statTexts(warm)),
  cold: JSON.stringify(statTexts(cold)),
  ...(other === undefined ? {} : { other: tupleOf(other) }),
  ...(wall === undefined ? {} : { wall: tupleOf(wall) }),
});

/** An item that does not read is as good as none until it expires. */
const profileOf = (row: Readonly<Record<string, unknown>>, { logger }: StoreOptions): Profile | undefined => {
  try {
    const { other, wall, ...profile } = readRow(rowSchema, row);
    return { ...profile, other, wall };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    logger?.error(error.code, { reason: error.message });
    return undefined;
  }
};

export const createProfileStore = (options: StoreOptions): ProfileStore => {
  const { client, tableName: TableName } = options.table;
  return {
    get: async (key) => {
      // An estimate may be a moment old: half the price of a consistent read.
      const { Item } = await client.send(new GetCommand({ TableName, Key: keyOf(key) }));
      return Item === undefined ? undefined : profileOf(Item, options);
    },
    put: async (key, profile, readRuns) => {
      const put = new PutCommand({
        TableName,
        Item: { ...keyOf(key), ...itemOf(profile), expiresAt: expiryOf(options.clock.now(), KEEP_DAYS) },
        ...(readRuns === 0
          ? { ConditionExpression: 'attribute_not_exists(pk) OR attribute_not_exists(runs)' }
          : { ConditionExpression: 'runs = :read', ExpressionAttributeValues: { ':read': readRuns } }),
      });
      return (await whenConditionHolds(client.send(put))) !== undefined;
    },
  };
};
