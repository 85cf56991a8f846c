/** Queues an ended task again, as a new task: what has ended stays as it was. */
import { isTerminal, type Job } from '../job.ts';
import { acceptTask, repeated, type AcceptDependencies, type Accepted } from './accept-task.ts';
import {
  identify,
  readIdempotencyKey,
  type IdempotencyDependencies,
  type IdempotencyKey,
} from './idempotency.ts';
import { refuse } from './refusal.ts';

export interface RetryDependencies extends AcceptDependencies, IdempotencyDependencies {}

const again = async (
  job: Job,
  key: IdempotencyKey | undefined,
  deps: RetryDependencies,
): Promise<Accepted> => {
  const [workflowText, files] = await Promise.all([
    deps.workflows.get(job.jobId),
    job.fileCount === 0 ? [] : deps.workflows.getFiles(job.jobId),
  ]);
  if (workflowText === undefined || files === undefined) {
    return refuse(409, 'the workflow of this task is not kept any more; submit it anew');
  }
  const identified = await identify(key, deps);
  if (identified.kind === 'refused') return identified;
  const { userId, sessionId, workflowId, priority, maxRetries, timeoutSeconds, needs, callbackUrl } = job;
  const kept = { userId, sessionId, workflowId, priority, maxRetries, timeoutSeconds, needs, callbackUrl };
  const request = { ...identified.identity, ...kept, fileCount: files.length, retryOf: job.jobId };
  return acceptTask({ request, workflowText, files }, deps);
};

/**
 * POST /api/v1/tasks/{id}/retry.
 * @param job the task of this user
 */
export const retryTask = async (
  job: Job,
  idempotencyKey: string | undefined,
  deps: RetryDependencies,
): Promise<Accepted> => {
  const key = readIdempotencyKey(idempotencyKey, job.userId, ['retry', job.jobId]);
  if (key?.kind === 'refused') return key;
  const earlier = key === undefined ? undefined : await repeated(key, deps);
  if (earlier !== undefined) return earlier;
  if (!isTerminal(job.status)) {
    return refuse(409, `this task is ${job.status}; a task can be retried once it has ended`);
  }
  return again(job, key, deps);
};
