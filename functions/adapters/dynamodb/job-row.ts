/** The job as it is stored. */
import * as z from 'zod';
import {
  DEFAULT_TIMEOUT_SECONDS,
  failureReasonSchema,
  jobProgressSchema,
  jobStatusSchema,
  storedOutputSchema,
} from '../../../shared-types/index.ts';
import type { Job } from '../../core/job.ts';
import { createdKeyOf } from './job-cursor.ts';
import { readRow } from './table.ts';

const instant = z.iso.datetime({ offset: true });
const text = z.string();
const count = z.number().int().min(0);

const failureSchema = z.object({
  reason: failureReasonSchema,
  message: text,
  nodeId: text.exactOptional(),
  nodeName: text.exactOptional(),
  nodeType: text.exactOptional(),
  exceptionType: text.exactOptional(),
  unheard: z.literal(true).exactOptional(),
});

const needsSchema = z.object({ classes: z.array(text), models: z.array(text), tags: z.array(text) });

const attemptSchema = z.object({
  attempt: count,
  workerId: text.nullable(),
  promptId: text.nullable(),
  assignedAt: instant.nullable(),
  startedAt: instant.nullable(),
  endedAt: instant,
  outcome: z.enum(['completed', 'failed', 'cancelled']),
  failure: failureSchema.nullable(),
});

/** What has a default was added after the first jobs were stored. */
const jobRowSchema = z.object({
  jobId: text,
  userId: text,
  sessionId: text,
  workflowId: text,
  priority: z.number().int(),
  status: jobStatusSchema,
  attempt: count,
  revision: count,
  eventSequence: count,
  promptId: text.nullable(),
  workerId: text.nullable(),
  clientId: text.nullable(),
  retryCount: count,
  maxRetries: count,
  createdAt: instant,
  queuedAt: instant,
  assignedAt: instant.nullable(),
  queuedBehind: count.nullable().default(null),
  startedAt: instant.nullable(),
  completedAt: instant.nullable(),
  updatedAt: instant,
  storingSince: instant.nullable(),
  cancelRequestedAt: instant.nullable(),
  endingSince: instant.nullable().default(null),
  endingReason: z.enum(['cancel', 'timeout']).nullable().default(null),
  timeoutSeconds: z.number().int().min(1).default(DEFAULT_TIMEOUT_SECONDS),
  needs: needsSchema.default({ classes: [], models: [], tags: [] }),
  fileCount: count.default(0),
  callbackUrl: text.nullable().default(null),
  requestHash: text.nullable().default(null),
  retryOf: text.nullable().default(null),
  attempts: z.array(attemptSchema).default([]),
  // Absent rather than null: it is the key of an index.
  dueAt: instant.nullable().default(null),
  progress: jobProgressSchema.nullable(),
  earlyOutputs: z.array(storedOutputSchema),
  outputCount: count,
  durationMs: z.number().min(0).nullable(),
  failure: failureSchema.nullable(),
  endedByEventId: text.nullable(),
  // DynamoDB has no empty sets: no connection means no attribute.
  previewConnections: z
    .set(text)
    .optional()
    .transform((set) => [...(set ?? [])]),
  connections: z
    .set(text)
    .optional()
    .transform((set) => [...(set ?? [])]),
});

/** Partition of the index of due jobs. */
export const DUE = 'DUE';

export const jobKey = (jobId: string) => ({ pk: `JOB#${jobId}`, sk: 'JOB' });

/** @throws PipelineError `row.invalid` */
export const jobOfRow = (row: Readonly<Record<string, unknown>>): Job => readRow(jobRowSchema, row);

export const rowOfJob = ({
  connections,
  previewConnections,
  dueAt,
  ...job
}: Job): Record<string, unknown> => ({
  ...jobKey(job.jobId),
  ...job,
  createdKey: createdKeyOf(job),
  ...(dueAt === null ? {} : { due: DUE, dueAt }),
  ...(connections.length === 0 ? {} : { connections: new Set(connections) }),
  ...(previewConnections.length === 0 ? {} : { previewConnections: new Set(previewConnections) }),
});
