/** One valid example of each push message and of the browser's request. */
import { eventExamples } from './event-examples.ts';

const completed = eventExamples['Task Completed'];
const progressEvent = eventExamples['Node Progress Update'];
const { jobId, promptId } = completed;
const base = { jobId, promptId, attempt: 1, timestamp: '2026-11-22T10:00:09.000Z' };

const progress = {
  nodeId: progressEvent.nodeId,
  displayNodeId: progressEvent.displayNodeId,
  nodeName: progressEvent.nodeName,
  nodeType: progressEvent.nodeType,
  nodeProgress: progressEvent.nodeProgress,
  nodeMaxProgress: progressEvent.nodeMaxProgress,
  nodePercentage: progressEvent.nodePercentage,
  nodeState: progressEvent.nodeState,
  overallPercentage: progressEvent.overallPercentage,
  completedNodes: progressEvent.completedNodes,
  cachedNodes: progressEvent.cachedNodes,
  totalNodes: progressEvent.totalNodes,
  runningNodes: progressEvent.runningNodes,
  eta: { lowSeconds: 4, highSeconds: 7 },
  message: 'Generating image using K-Sampler: 15/20 steps (75%)',
};
const broken = { nodeId: '1', nodeName: 'Load Image', nodeType: 'LoadImage' };

const node = { nodeId: '3', nodeName: 'K-Sampler', nodeType: 'KSampler' };

export const subscribeRequestExample = { action: 'subscribe', jobId };
export const unsubscribeRequestExample = { action: 'unsubscribe', jobId };
export const pingRequestExample = { action: 'ping' };

export const pushExamples = {
  job_snapshot: {
    type: 'job_snapshot',
    ...base,
    sequence: 3,
    status: 'running',
    workflowId: 'text_to_image_v1',
    progress,
    outputs: [],
    error: null,
    retryCount: 0,
    maxRetries: 3,
    createdAt: '2026-11-22T10:00:00.000Z',
    startedAt: '2026-11-22T10:00:01.000Z',
    completedAt: null,
    nodes: [{ ...node, state: 'executing', at: '2026-11-22T10:00:02.000Z', durationMs: null }],
    queuePosition: null,
    eta: { lowSeconds: 4, highSeconds: 7 },
  },
  job_started: {
    type: 'job_started',
    ...base,
    sequence: 3,
    message: 'Started: 7 nodes',
    totalNodes: 7,
    cachedNodes: 0,
  },
  job_progress: { type: 'job_progress', ...base, sequence: 4, ...progress },
  job_nodes: {
    type: 'job_nodes',
    ...base,
    sequence: 4,
    nodes: [{ ...node, state: 'executed', at: '2026-11-22T10:00:09.000Z', durationMs: 7000 }],
  },
  job_preview: {
    type: 'job_preview',
    ...base,
    sequence: 4,
    nodeId: '3',
    mimeType: 'image/jpeg',
    image: '/9j/4AAQSkZJRgABAQ==',
  },
  job_completed: {
    type: 'job_completed',
    ...base,
    sequence: 9,
    message: 'Done: 1 output',
    outputs: completed.outputs,
    missingOutputs: [],
    durationMs: 11_000,
  },
  job_failed: {
    type: 'job_failed',
    ...base,
    sequence: 9,
    reason: 'nodeError',
    message: "Load Image failed: cannot identify image file 'broken.png'",
    ...broken,
  },
  job_retrying: {
    type: 'job_retrying',
    ...base,
    sequence: 9,
    reason: 'comfyRestarted',
    message: 'ComfyUI restarted while the job ran.',
    nextAttempt: 2,
    maxRetries: 3,
    delaySeconds: 10,
  },
  job_cancelled: { type: 'job_cancelled', ...base, sequence: 9, message: 'Cancelled' },
  pong: { type: 'pong' },
  error: {
    type: 'error',
    code: 'notFound',
    message: 'No such job: check the id, it is the one that POST /api/v1/tasks answered',
    jobId,
  },
};
