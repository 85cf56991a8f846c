/** Shares of the users: each claim and each release is one conditional write on what was read. */
import { GetCommand, PutCommand, UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import type * as z from 'zod';
import { PipelineError } from '../../core/errors.ts';
import type { ShareStore } from '../../core/ports.ts';
import { settledTags } from './share-release.ts';
import {
  settingsKey,
  settingsRowSchema,
  shareKey,
  shareOfRow,
  shareRowSchema,
  SHARES,
  touchShare,
} from './share-row.ts';
import { expiryOf, queryPages, readRow, readRows, whenConditionHolds, type StoreOptions } from './table.ts';

/** Each failed try means that another writer of the same share succeeded; so many in a row are not met in practice. */
const RELEASE_TRIES = 50;
const FIRST_WAIT_MS = 25;
const MAX_WAIT_MS = 1000;

type ShareRow = z.infer<typeof shareRowSchema>;

/**
 * `size` of a map is the number of its children, so the cap holds in the write itself:
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
 */
export const createShareStore = (options: StoreOptions): ShareStore => {
  const { table, clock, logger } = options;
  const { client, tableName: TableName } = table;

  const read = async (userId: string): Promise<ShareRow | undefined> => {
    const Key = shareKey(userId);
    const { Item } = await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
    return Item === undefined ? undefined : readRow(shareRowSchema, Item);
  };
  /** False when the condition did not hold. */
  const update = async (
    userId: string,
    input: Omit<UpdateCommandInput, 'TableName' | 'Key'>,
  ): Promise<boolean> => {
    const Key = shareKey(userId);
    return (
      (await whenConditionHolds(client.send(new UpdateCommand({ TableName, Key, ...input })))) !== undefined
    );
  };

  const claim: ShareStore['claim'] = ({ userId, finishMs }, { startMs, cap, ...charge }) =>
    update(userId, {
      ConditionExpression: 'finishMs = :read AND size(active) < :cap AND attribute_not_exists(active.#job)',
      UpdateExpression:
        'SET startMs = :start, finishMs = :finish, active.#job = :charge, revision = revision + :one, expiresAt = :expiry',
      ExpressionAttributeNames: { '#job': charge.jobId },
      ExpressionAttributeValues: {
        ':read': finishMs,
        ':cap': cap,
        ':start': startMs,
        ':finish': startMs + charge.chargedMs,
        ':charge': { jobId: charge.jobId, attempt: charge.attempt, chargedMs: charge.chargedMs },
        ':one': 1,
        ':expiry': expiryOf(clock.now()),
      },
    });

  /** Undefined when another writer came in between: read again. */
  const tryRelease = async (
    userId: string,
    jobId: string,
    attempt: number,
    actualMs: number | null,
  ): Promise<boolean | undefined> => {
    const row = await read(userId);
    const charge = row?.active.find((each) => each.jobId === jobId && each.attempt === attempt);
    if (row === undefined || charge === undefined) return false;
    const { finishMs, averageMs, averagedJobs } = settledTags(row, charge, actualMs);
    const released = await update(userId, {
      ConditionExpression: 'revision = :read AND active.#job.attempt = :attempt',
      UpdateExpression:
        'SET finishMs = :finish, averageMs = :average, averagedJobs = :averaged, revision = revision + :one, expiresAt = :expiry REMOVE active.#job',
      ExpressionAttributeNames: { '#job': jobId },
      ExpressionAttributeValues: {
        ':read': row.revision,
        ':attempt': attempt,
        ':finish': finishMs,
        ':average': averageMs,
        ':averaged': averagedJobs,
        ':one': 1,
        ':expiry': expiryOf(clock.now()),
      },
    });
    return released ? true : undefined;
  };

  return {
    list: async () => {
      const rows: Readonly<Record<string, unknown>>[] = [];
      const pages = queryPages(table, {
        KeyConditionExpression: 'pk = :shares',
        ExpressionAttributeValues: { ':shares': SHARES },
        ConsistentRead: true,
      });
      for await (const page of pages) rows.push(...page);
      const isSettings = (row: Readonly<Record<string, unknown>>): boolean => row['sk'] === settingsKey.sk;
      const settings = readRows(settingsRowSchema, rows.filter(isSettings), logger);
      const shares = rows.filter((row) => !isSettings(row));
      return {
        paused: settings.some(({ paused }) => paused),
        users: readRows(shareRowSchema, shares, logger).map(shareOfRow),
      };
    },
    get: async (userId) => {
      const row = await read(userId);
      return row === undefined ? undefined : shareOfRow(row);
    },
    claim: async (share, wanted) => {
      if (await claim(share, wanted)) return true;
      // A user of whom nothing is stored has been charged nothing: the share is made, and claimed as any other.
      if (share.finishMs !== 0 || (await read(share.userId)) !== undefined) return false;
      await touchShare(options, share.userId, {});
      return claim(share, wanted);
    },
    release: async (userId, jobId, attempt, actualMs) => {
      for (let tries = 0; tries < RELEASE_TRIES; tries += 1) {
        const released = await tryRelease(userId, jobId, attempt, actualMs);
        if (released !== undefined) return released;
        // Whoever comes back at once meets the same writers again.
        await clock.sleep(Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** tries));
      }
      throw new PipelineError('share.contended', `share of ${userId} was never as it was read`, {
        retryable: true,
      });
    },
    settleEmpty: async (userId, waitingStamp) => {
      await update(userId, {
        ConditionExpression: 'waitingStamp = :stamp',
        UpdateExpression: 'SET expiresAt = :expiry REMOVE waitingStamp',
        ExpressionAttributeValues: { ':stamp': waitingStamp, ':expiry': expiryOf(clock.now()) },
      });
    },
    setPaused: (userId, paused) => touchShare(options, userId, { paused }),
    setAllPaused: async (paused) => {
      await client.send(new PutCommand({ TableName, Item: { ...settingsKey, paused } }));
    },
  };
};
