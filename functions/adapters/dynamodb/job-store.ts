/** Jobs: every change is one conditional UpdateItem whose ALL_NEW answer is the job as it then is. */
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { JobChange, JobGuard, JobPatch } from '../../core/job.ts';
import type { JobStore } from '../../core/ports.ts';
import { createExpression, type Expression } from './expression.ts';
import { jobKey, jobOfRow, rowOfJob } from './job-row.ts';
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

const assignmentsOf = (patch: JobPatch, { name, value }: Expression): string[] => {
  const { addEarlyOutputs, clearEarlyOutputs, ...fields } = patch;
  const sets = Object.entries(fields)
    .filter(([, content]) => content !== undefined)
    .map(([attribute, content]) => `${name(attribute)} = ${value(content)}`);
  // A name that no expression uses is an error of its own: it is made only where it is needed.
  if (clearEarlyOutputs === true) sets.push(`${name('earlyOutputs')} = ${value(addEarlyOutputs ?? [])}`);
  else if (addEarlyOutputs !== undefined) {
    const early = name('earlyOutputs');
    sets.push(`${early} = list_append(${early}, ${value(addEarlyOutputs)})`);
  }
  return sets;
};

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
      ...assignmentsOf(patch, expression),
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
          UpdateExpression: `SET ${sets.join(', ')}`,
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
