/** Jobs: every change is one conditional UpdateItem whose ALL_NEW answer is the job as it then is. */
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { JobChange, JobGuard, JobPatch } from '../../core/job.ts';
import type { JobStore } from '../../core/ports.ts';
import { createExpression, type Expression } from './expression.ts';
import { DUE, jobKey, jobOfRow, rowOfJob } from './job-row.ts';
import { expiryOf, whenConditionHolds, type StoreOptions } from './table.ts';

const conditionOf = (guard: JobGuard, { name, value }: Expression): string => {
  const statuses = guard.statuses.map((status) => value(status)).join(', ');
  const equal = (attribute: 'attempt' | 'workerId' | 'promptId'): string[] =>
    guard[attribute] === undefined ? [] : [`${name(attribute)} = ${value(guard[attribute])}`];
  const below =
    guard.eventSequenceBelow === undefined
      ? []
      : [`${name('eventSequence')} < ${value(guard.eventSequenceBelow)}`];
  const parts = [`${name('status')} IN (${statuses})`, ...equal('attempt'), ...equal('workerId')];
  return [...parts, ...equal('promptId'), ...below].join(' AND ');
};

/** `list_append`, to a list that rows of an older shape do not have. */
const appended = (attribute: string, items: readonly unknown[], { name, value }: Expression): string => {
  const list = name(attribute);
  return `${list} = list_append(if_not_exists(${list}, ${value([])}), ${value(items)})`;
};

const setsOf = (patch: JobPatch, expression: Expression): string[] => {
  const { addAttempt, addEarlyOutputs, clearEarlyOutputs, dueAt, ...fields } = patch;
  const { name, value } = expression;
  const all = typeof dueAt === 'string' ? { ...fields, due: DUE, dueAt } : fields;
  const sets = Object.entries(all)
    .filter(([, content]) => content !== undefined)
    .map(([attribute, content]) => `${name(attribute)} = ${value(content)}`);
  // A name that no expression uses is an error of its own: it is made only where it is needed.
  if (addAttempt !== undefined) sets.push(appended('attempts', [addAttempt], expression));
  if (clearEarlyOutputs === true) sets.push(`${name('earlyOutputs')} = ${value(addEarlyOutputs ?? [])}`);
  else if (addEarlyOutputs !== undefined) sets.push(appended('earlyOutputs', addEarlyOutputs, expression));
  return sets;
};

/** The keys of an index are removed: DynamoDB refuses null in one. */
const removalOf = ({ dueAt }: JobPatch, { name }: Expression): string =>
  dueAt === null ? ` REMOVE ${name('due')}, ${name('dueAt')}` : '';

export const createJobStore = ({
  table: { client, tableName: TableName },
  clock,
}: StoreOptions): JobStore => ({
  create: async (job) => {
    const created = await whenConditionHolds(
      client.send(
        new PutCommand({
          TableName,
          Item: { ...rowOfJob(job), expiresAt: expiryOf(clock.now()) },
          ConditionExpression: 'attribute_not_exists(pk)',
        }),
      ),
    );
    return created === undefined ? 'exists' : 'created';
  },
  get: async (jobId) => {
    const { Item } = await client.send(
      new GetCommand({ TableName, Key: jobKey(jobId), ConsistentRead: true }),
    );
    return Item === undefined ? undefined : jobOfRow(Item);
  },
  update: async ({ guard, patch }: JobChange) => {
    const expression = createExpression();
    const { name, value } = expression;
    const now = clock.now();
    const sets = [
      ...setsOf(patch, expression),
      `${name('revision')} = ${name('revision')} + ${value(1)}`,
      `${name('updatedAt')} = ${value(new Date(now).toISOString())}`,
      `${name('expiresAt')} = ${value(expiryOf(now))}`,
    ];
    const updated = await whenConditionHolds(
      client.send(
        new UpdateCommand({
          TableName,
          Key: jobKey(guard.jobId),
          ConditionExpression: conditionOf(guard, expression),
          UpdateExpression: `SET ${sets.join(', ')}${removalOf(patch, expression)}`,
          ExpressionAttributeNames: expression.names(),
          ExpressionAttributeValues: expression.values(),
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    return updated?.Attributes === undefined
      ? { kind: 'refused' }
      : { kind: 'applied', job: jobOfRow(updated.Attributes) };
  },
});
