/** The worker as it is stored. */
import * as z from 'zod';
import type { Assignment, Worker, WorkerCondition } from '../../core/worker.ts';
import { readRow } from './table.ts';

/** `draining` is a wish of its own beside these, so that a worker that falls silent in between keeps it. */
export type StoredCondition = Exclude<WorkerCondition, 'draining'>;

/** A worker that drains and does not answer still drains: it is given nothing either way. */
export const conditionOf = (condition: StoredCondition, drains: boolean): WorkerCondition =>
  drains && (condition === 'ready' || condition === 'failed') ? 'draining' : condition;

export const oldestFirst = (held: readonly Assignment[]): readonly Assignment[] =>
  [...held].sort((a, b) =>
    a.assignedAt === b.assignedAt ? (a.jobId < b.jobId ? -1 : 1) : a.assignedAt < b.assignedAt ? -1 : 1,
  );

export const sortedTags = (tags: readonly string[]): readonly string[] => [...new Set(tags)].sort();

const text = z.string();

const assignmentSchema = z.object({
  jobId: text,
  attempt: z.number().int(),
  userId: text,
  assignedAt: text,
});

/** What is held: a map, so that one write compares its size and its keys. */
const heldSchema = z
  .record(text, assignmentSchema)
  .default({})
  .transform((held) => oldestFirst(Object.values(held)));

export const workerRowSchema = z
  .object({
    workerId: text,
    clientId: text,
    endpoint: text,
    condition: z.enum(['ready', 'failed', 'lost', 'stopped']).default('ready'),
    drains: z.boolean().default(false),
    held: heldSchema,
    lastAssignedAt: text.nullable().default(null),
    bootId: text,
    monitorSequence: z.number().int(),
    comfyuiVersion: text.nullable(),
    registeredAt: text,
    connectedAt: text.optional(),
    lastSeenAt: text,
    avoidUntil: text.nullable(),
    quarantined: z.boolean().default(false),
    tags: z.array(text).default([]),
    catalogueHash: text.nullable().default(null),
    failedSince: text.nullable().default(null),
    kind: text.optional(),
    lastModels: text.optional(),
  })
  .transform(({ drains, condition, ...worker }): Worker => ({
    ...worker,
    condition: conditionOf(condition, drains),
  }));

export const workerKey = (workerId: string) => ({ pk: 'WORKERS', sk: workerId });

const heldRowSchema = z.object({ held: z.record(text, z.looseObject({})) });

/**
 * What a row says that its worker held of that job; the rest of the row need not be readable.
 * @throws PipelineError `row.invalid`
 */
export const assignmentOf = (row: Readonly<Record<string, unknown>>, jobId: string): Assignment => {
  const { held } = readRow(heldRowSchema, row);
  return readRow(assignmentSchema, { pk: row['pk'], sk: row['sk'], ...held[jobId] });
};
