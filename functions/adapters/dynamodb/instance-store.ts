/** Instances of the providers, and the revision of each pool: `INSTANCES` / `<pool>#<workerId>` and `#pool#<pool>`. */
import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Instance, InstanceCondition, InstanceStore, ProviderHold } from '../../core/scaling/ports.ts';
import { createExpression } from './expression.ts';
import { expiryOf, queryPages, readRow, readRows, whenConditionHolds, type StoreOptions } from './table.ts';

/** The budget of a day needs those that ended on it; a day more for whoever looks for what happened. */
const KEEP_DAYS = 3;

const text = z.string();
const iso = z.iso.datetime({ offset: true });
const maybeIso = iso.nullable().default(null);

const instanceRowSchema = z.object({
  pool: text,
  workerId: text,
  providerId: text,
  provider: z.enum(['static', 'docker', 'novita', 'runpod', 'ecs']),
  image: text,
  instanceId: text.nullable(),
  condition: z.enum(['launching', 'live', 'ending', 'ended']),
  createdAt: iso,
  launchedAt: maybeIso,
  announcedAt: maybeIso,
  leaseUntil: iso,
  pricePerHour: z.number().min(0),
  address: text.nullable().default(null),
  catalogueHash: text.nullable().default(null),
  idleSince: maybeIso,
  busyShare: z.number().min(0).max(1).default(1),
  unwellSince: maybeIso,
  drainingSince: maybeIso,
  endReason: z
    .enum([
      'idle',
      'excess',
      'leaseEnd',
      'bootTimeout',
      'quarantined',
      'unwell',
      'providerFailed',
      'gone',
      'overpriced',
    ])
    .nullable()
    .default(null),
  endedAt: maybeIso,
});

const holdSchema = z.object({ until: iso, reason: text });
const poolRowSchema = z.looseObject({ revision: z.number().int().min(0).default(0) });

const PARTITION = 'INSTANCES';
/** Sorts before every pool: names of pools begin with a letter or a digit. */
const POOL_PREFIX = '#pool#';
const HOLD_PREFIX = 'hold:';

const instanceKey = ({ pool, workerId }: Pick<Instance, 'pool' | 'workerId'>) => ({
  pk: PARTITION,
  sk: `${pool}#${workerId}`,
});
const poolKey = (pool: string) => ({ pk: PARTITION, sk: `${POOL_PREFIX}${pool}` });

const holdsOf = (row: Readonly<Record<string, unknown>>): Readonly<Record<string, ProviderHold>> =>
  Object.fromEntries(
    Object.entries(row)
      .filter(([name]) => name.startsWith(HOLD_PREFIX))
      .map(([name, hold]) => [
        name.slice(HOLD_PREFIX.length),
        readRow(holdSchema, { ...row, ...Object(hold) }),
      ]),
  );

/** Rows never expire while they may cost: a lease has an end, and the row is kept for days after it. */
const expiryOfInstance = ({ leaseUntil, endedAt }: Pick<Instance, 'leaseUntil' | 'endedAt'>): number =>
  expiryOf(Date.parse(endedAt ?? leaseUntil), endedAt === null ? 30 : KEEP_DAYS);

export const createInstanceStore = ({ table, clock, logger }: StoreOptions): InstanceStore => {
  const { client, tableName: TableName } = table;
  const holds = async (write: Promise<unknown>): Promise<boolean> =>
    (await whenConditionHolds(write)) !== undefined;

  const change = (
    key: Pick<Instance, 'pool' | 'workerId'>,
    set: Readonly<Record<string, unknown>>,
    from: readonly InstanceCondition[],
  ): Promise<boolean> => {
    const { name, value, names, values } = createExpression();
    const isFrom = from.map((condition) => `${name('condition')} = ${value(condition)}`).join(' OR ');
    const sets = Object.entries(set).map(([attribute, content]) => `${name(attribute)} = ${value(content)}`);
    return holds(
      client.send(
        new UpdateCommand({
          TableName,
          Key: instanceKey(key),
          ConditionExpression: `attribute_exists(pk) AND (${isFrom})`,
          UpdateExpression: `SET ${sets.join(', ')}`,
          ExpressionAttributeNames: names(),
          ExpressionAttributeValues: values(),
        }),
      ),
    );
  };

  return {
    list: async () => {
      const instances: Instance[] = [];
      const pages = queryPages(table, {
        KeyConditionExpression: 'pk = :instances AND sk > :pools',
        // The character after the prefix: pools' own rows are left out.
        ExpressionAttributeValues: { ':instances': PARTITION, ':pools': '$' },
        ConsistentRead: true,
      });
      for await (const rows of pages) instances.push(...readRows(instanceRowSchema, rows, logger));
      const oldest = clock.now() - KEEP_DAYS * 86_400_000;
      return instances.filter(({ endedAt }) => endedAt === null || Date.parse(endedAt) >= oldest);
    },
    create: (instance) => {
      const Item = { ...instanceKey(instance), ...instance, expiresAt: expiryOfInstance(instance) };
      const ConditionExpression = 'attribute_not_exists(pk)';
      return holds(client.send(new PutCommand({ TableName, Item, ConditionExpression })));
    },
    change: async (key, patch, from) => {
      if (from.length === 0 || Object.keys(patch).length === 0) return false;
      const { endedAt } = patch;
      const expiry =
        typeof endedAt !== 'string' ? {} : { expiresAt: expiryOf(Date.parse(endedAt), KEEP_DAYS) };
      return await change(key, { ...patch, ...expiry }, from);
    },
    discard: (key) =>
      holds(
        client.send(
          new DeleteCommand({
            TableName,
            Key: instanceKey(key),
            ConditionExpression: '#condition = :launching',
            ExpressionAttributeNames: { '#condition': 'condition' },
            ExpressionAttributeValues: { ':launching': 'launching' },
          }),
        ),
      ),
    pool: async (pool) => {
      const { Item } = await client.send(
        new GetCommand({ TableName, Key: poolKey(pool), ConsistentRead: true }),
      );
      if (Item === undefined) return { revision: 0, holds: {} };
      return { revision: readRow(poolRowSchema, Item).revision, holds: holdsOf(Item) };
    },
    claim: (pool, revision) =>
      holds(
        client.send(
          new UpdateCommand({
            TableName,
            Key: poolKey(pool),
            ConditionExpression:
              revision === 0 ? 'attribute_not_exists(revision) OR revision = :read' : 'revision = :read',
            UpdateExpression: 'SET revision = :next',
            ExpressionAttributeValues: { ':read': revision, ':next': revision + 1 },
          }),
        ),
      ),
    hold: async (pool, providerId, hold) => {
      await client.send(
        new UpdateCommand({
          TableName,
          Key: poolKey(pool),
          UpdateExpression: 'SET #hold = :hold',
          ExpressionAttributeNames: { '#hold': `${HOLD_PREFIX}${providerId}` },
          ExpressionAttributeValues: { ':hold': hold },
        }),
      );
    },
  };
};
