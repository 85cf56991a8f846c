/** Jobs by user and jobs that are due, from the two indexes of the table. */
import { QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { jobStatusSchema } from '../../../shared-types/index.ts';
import type { JobIndex, TaskFilter } from '../../core/ports.ts';
import { noCounts } from './job-counts.ts';
import { createdKeyOf, decodeCursor, encodeCursor, type JobCursor } from './job-cursor.ts';
import { DUE, jobKey } from './job-row.ts';
import { BY_DUE_INDEX, BY_USER_INDEX, queryPages, readRow, readRows, type StoreOptions } from './table.ts';

/** Pages that one call reads at most; then it answers what it has, and where to go on. */
const MAX_PAGES = 20;
/** Index items of one page, about 300 bytes each, when most of them may be filtered out. */
const FILTERED_PAGE = 500;

const createdKeySchema = z.string().transform((key, context): Pick<JobCursor, 'createdAt' | 'jobId'> => {
  const at = key.indexOf('#');
  if (at < 1) context.addIssue('not <createdAt>#<jobId>');
  return { createdAt: key.slice(0, at), jobId: key.slice(at + 1) };
});
const listedRowSchema = z.object({ createdKey: createdKeySchema });
const countedRowSchema = z.object({ status: jobStatusSchema });
const dueRowSchema = z.object({ jobId: z.string() });

type Position = z.infer<typeof createdKeySchema>;

const startKeyOf = ({ userId, createdAt, jobId }: JobCursor) => ({
  ...jobKey(jobId),
  userId,
  createdKey: createdKeyOf({ createdAt, jobId }),
});

const filterOf = ({ status, workflowId }: TaskFilter): Partial<QueryCommandInput> => {
  const wanted = Object.entries({ status, workflowId }).filter(([, value]) => value !== undefined);
  if (wanted.length === 0) return {};
  return {
    FilterExpression: wanted.map(([field]) => `#${field} = :${field}`).join(' AND '),
    ExpressionAttributeNames: Object.fromEntries(wanted.map(([field]) => [`#${field}`, field])),
    ExpressionAttributeValues: Object.fromEntries(wanted.map(([field, value]) => [`:${field}`, value])),
  };
};

/**
 * A filter is applied after a page was read, so pages of a filtered list may be empty and are paid for all the same:
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.FilterExpression.html
 * @param filteredPage index items that are looked at in one read of a list with a filter, 1–1000
 */
export const createJobIndex = ({
  table,
  logger,
  filteredPage = FILTERED_PAGE,
}: Omit<StoreOptions, 'clock'> & { readonly filteredPage?: number }): JobIndex => {
  const { client, tableName: TableName } = table;

  /** One page, newest first, and where the next one starts. */
  const page = async (userId: string, filter: TaskFilter, start: JobCursor | undefined) => {
    const { ExpressionAttributeValues, ...filtering } = filterOf(filter);
    const { Items = [], LastEvaluatedKey } = await client.send(
      new QueryCommand({
        TableName,
        IndexName: BY_USER_INDEX,
        KeyConditionExpression: 'userId = :user',
        ...filtering,
        ExpressionAttributeValues: { ...ExpressionAttributeValues, ':user': userId },
        ScanIndexForward: false,
        Limit: ExpressionAttributeValues === undefined ? filter.limit + 1 : filteredPage,
        ...(start === undefined ? {} : { ExclusiveStartKey: startKeyOf(start) }),
      }),
    );
    const found = readRows(listedRowSchema, Items, logger).map(({ createdKey }) => createdKey);
    const last = LastEvaluatedKey === undefined ? undefined : readRow(listedRowSchema, LastEvaluatedKey);
    return { found, next: last === undefined ? undefined : { userId, ...last.createdKey } };
  };

  /** One more than asked for, so that the last page says that it is the last. */
  const search = async (userId: string, filter: TaskFilter, from: JobCursor | undefined) => {
    const found: Position[] = [];
    let next = from;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const read = await page(userId, filter, next);
      found.push(...read.found);
      next = read.next;
      if (next === undefined || found.length > filter.limit) break;
    }
    const kept = found.slice(0, filter.limit);
    const last = kept.at(-1);
    const cursor = found.length > filter.limit && last !== undefined ? { userId, ...last } : next;
    return { kept, cursor };
  };

  return {
    list: async (userId, filter) => {
      const from = filter.cursor === undefined ? undefined : decodeCursor(userId, filter.cursor);
      if (filter.cursor !== undefined && from === undefined) return { kind: 'invalidCursor' };
      const { kept, cursor } = await search(userId, filter, from);
      return {
        kind: 'page',
        jobIds: kept.map(({ jobId }) => jobId),
        cursor: cursor === undefined ? undefined : encodeCursor(cursor),
      };
    },
    counts: async (userId) => {
      const counts = noCounts();
      const pages = queryPages(table, {
        IndexName: BY_USER_INDEX,
        KeyConditionExpression: 'userId = :user',
        ExpressionAttributeValues: { ':user': userId },
        ProjectionExpression: '#status',
        ExpressionAttributeNames: { '#status': 'status' },
      });
      for await (const rows of pages) {
        for (const { status } of readRows(countedRowSchema, rows, logger)) counts[status] += 1;
      }
      return counts;
    },
    due: async (now, limit) => {
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName,
          IndexName: BY_DUE_INDEX,
          KeyConditionExpression: 'due = :due AND dueAt <= :now',
          ExpressionAttributeValues: { ':due': DUE, ':now': now },
          Limit: limit,
        }),
      );
      return readRows(dueRowSchema, Items, logger).map(({ jobId }) => jobId);
    },
  };
};
