/** The job as it is stored. */
import * as z from 'zod';
import {
  failureReasonSchema,
  jobProgressSchema,
  jobStatusSchema,
  storedOutputSchema,
} from '../../../shared-types/index.ts';
import type { Job } from '../../core/job.ts';
import { readRow } from './table.ts';

const instant = z.iso.datetime({ offset: true });
const text = z.string();

const failureSchema = z.object({
  reason: failureReasonSchema,
  message: text,
  nodeId: text.exactOptional(),
  nodeName: text.exactOptional(),
  nodeType: text.exactOptional(),
  exceptionType: text.exactOptional(),
});

const jobRowSchema = z.object({
  jobId: text,
  userId: text,
  sessionId: text,
  workflowId: text,
  priority: z.number().int(),
  status: jobStatusSchema,
  attempt: z.number().int().min(0),
  revision: z.number().int().min(0),
  eventSequence: z.number().int().min(0),
  promptId: text.nullable(),
  workerId: text.nullable(),
  clientId: text.nullable(),
  retryCount: z.number().int().min(0),
  maxRetries: z.number().int().min(0),
  createdAt: instant,
  queuedAt: instant,
  assignedAt: instant.nullable(),
  startedAt: instant.nullable(),
  completedAt: instant.nullable(),
  updatedAt: instant,
  storingSince: instant.nullable(),
  cancelRequestedAt: instant.nullable(),
  progress: jobProgressSchema.nullable(),
  earlyOutputs: z.array(storedOutputSchema),
  outputCount: z.number().int().min(0),
  durationMs: z.number().min(0).nullable(),
  failure: failureSchema.nullable(),
  endedByEventId: text.nullable(),
  // DynamoDB has no empty sets: no connection means no attribute.
  connections: z
    .set(text)
    .optional()
    .transform((set) => [...(set ?? [])]),
});

export const jobKey = (jobId: string) => ({ pk: `JOB#${jobId}`, sk: 'JOB' });

/** @throws PipelineError `row.invalid` */
export const jobOfRow = (row: Readonly<Record<string, unknown>>): Job => readRow(jobRowSchema, row);

export const rowOfJob = ({ connections, ...job }: Job): Record<string, unknown> => ({
  ...jobKey(job.jobId),
  ...job,
  ...(connections.length === 0 ? {} : { connections: new Set(connections) }),
});
