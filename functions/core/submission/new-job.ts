/** A job before anything has happened to it. */
import type { Job } from '../job.ts';

/** What makes one submission different from another. */
export type JobRequest = Pick<
  Job,
  | 'jobId'
  | 'userId'
  | 'sessionId'
  | 'workflowId'
  | 'priority'
  | 'maxRetries'
  | 'timeoutSeconds'
  | 'needs'
  | 'fileCount'
  | 'callbackUrl'
  | 'requestHash'
  | 'retryOf'
>;

/** @param now ISO 8601 */
export const newJob = (request: JobRequest, now: string): Job => ({
  ...request,
  status: 'pending',
  attempt: 0,
  revision: 1,
  eventSequence: 0,
  promptId: null,
  workerId: null,
  clientId: null,
  retryCount: 0,
  createdAt: now,
  queuedAt: now,
  assignedAt: null,
  queuedBehind: null,
  startedAt: null,
  completedAt: null,
  updatedAt: now,
  storingSince: null,
  cancelRequestedAt: null,
  endingSince: null,
  endingReason: null,
  attempts: [],
  dueAt: null,
  progress: null,
  earlyOutputs: [],
  outputCount: 0,
  durationMs: null,
  failure: null,
  endedByEventId: null,
  connections: [],
  previewConnections: [],
});
