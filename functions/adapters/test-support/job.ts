/** Jobs for tests. */
import type { StoredOutput } from '../../../shared-types/index.ts';
import type { Job } from '../../core/job.ts';

export const JOB_ID = '7d3a1c52-5c3e-4a0b-9f0e-3b8f6f0f5a11';
export const PROMPT_ID = '0b6f7f0e-95d7-4c39-8a1c-6c4b9a7d2e10';
export const WORKER_ID = 'pod-1';
const AT = '2026-03-01T12:00:00.000Z';

/** A pending job. */
export const pendingJob = (patch: Partial<Job> = {}): Job => ({
  jobId: JOB_ID,
  userId: 'user-1',
  sessionId: 'session-1',
  workflowId: 'text_to_image_v1',
  priority: 5,
  status: 'pending',
  attempt: 0,
  revision: 1,
  eventSequence: 0,
  promptId: null,
  workerId: null,
  clientId: null,
  retryCount: 0,
  maxRetries: 3,
  createdAt: AT,
  queuedAt: AT,
  assignedAt: null,
  startedAt: null,
  completedAt: null,
  updatedAt: AT,
  storingSince: null,
  cancelRequestedAt: null,
  progress: null,
  earlyOutputs: [],
  outputCount: 0,
  durationMs: null,
  failure: null,
  endedByEventId: null,
  connections: [],
  ...patch,
});

/** A job whose first attempt was dispatched to `pod-1`. */
export const assignedJob = (patch: Partial<Job> = {}): Job =>
  pendingJob({
    status: 'assigned',
    attempt: 1,
    revision: 2,
    promptId: PROMPT_ID,
    workerId: WORKER_ID,
    clientId: 'monitor-1',
    assignedAt: AT,
    connections: ['connection-1'],
    ...patch,
  });

export const storedOutput = (index: number, patch: Partial<StoredOutput> = {}): StoredOutput => ({
  outputId: `00000000-0000-5000-8000-${String(index).padStart(12, '0')}`,
  nodeId: '9',
  outputKey: 'images',
  index,
  kind: 'image',
  src: `https://cdn.example.com/user-1/session-1/${index}.png`,
  mimeType: 'image/png',
  size: 1000 + index,
  filename: `picture_${index}_.png`,
  ...patch,
});
