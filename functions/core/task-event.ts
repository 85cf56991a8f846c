/** The common part of the control plane's events about a task. */
import { SCHEMA_VERSION } from '../../shared-types/index.ts';
import type { Job } from './job.ts';
import { uuidV5 } from './uuid-v5.ts';

/**
 * `eventId` is derived from the job, its attempt and the event's name: whoever publishes it again after a crash
 * publishes the same event, and a consumer sees one.
 */
export const taskEventBase = (job: Job, detailType: string) => ({
  eventId: uuidV5(`${job.jobId}:${job.attempt}:${detailType}`),
  schemaVersion: SCHEMA_VERSION,
  timestamp: job.updatedAt,
  sequence: job.revision,
  promptId: job.promptId,
  clientId: job.clientId,
  workerId: job.workerId,
  jobId: job.jobId,
  attempt: job.attempt,
  userId: job.userId,
  sessionId: job.sessionId,
  workflowId: job.workflowId,
  priority: job.priority,
});
