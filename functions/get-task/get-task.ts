import { MAX_ESCAPED_WORKFLOW_BYTES } from '../../shared-types/index.ts';
import { errorReply, httpHandler, type HttpHandler } from '../adapters/http/http-handler.ts';
import { outputsOfJob } from '../core/job-outputs.ts';
import type { Job } from '../core/job.ts';
import type { Clock, JobStore, Logger, OutputStore, WorkflowStore } from '../core/ports.ts';
import { findOwnTask, NO_SUCH_TASK } from '../core/submission/own-task.ts';
import { NO_OUTLOOK, outlookOf, type OutlookDependencies, type TaskOutlook } from '../core/task-outlook.ts';
import { taskViewOf } from '../core/task-view.ts';
import { getTimeline, type TimelineDependencies } from './get-timeline.ts';

export interface GetTaskDependencies extends OutlookDependencies, TimelineDependencies {
  readonly jobs: JobStore;
  readonly outputs: OutputStore;
  readonly workflows: WorkflowStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What cannot be estimated is no reason not to show the task. */
const outlook = async (job: Job, dependencies: GetTaskDependencies): Promise<TaskOutlook> => {
  try {
    return await outlookOf(job, dependencies.clock.now(), dependencies);
  } catch (error) {
    dependencies.logger.warn('task.no-outlook', { jobId: job.jobId, reason: String(error) });
    return NO_OUTLOOK;
  }
};

/** The workflow goes into the answer as the text it is stored as, so that its numbers keep every digit. */
const withPayload = (viewText: string, workflowText: string): string =>
  `${viewText.slice(0, -1)},"payload":${workflowText}}`;

const fits = (body: string): boolean => Buffer.byteLength(JSON.stringify(body)) <= MAX_ESCAPED_WORKFLOW_BYTES;

const taskBody = async (job: Job, dependencies: GetTaskDependencies): Promise<string> => {
  const { outputs, workflows } = dependencies;
  const [stored, workflowText, seen] = await Promise.all([
    outputsOfJob(job, outputs),
    workflows.get(job.jobId),
    outlook(job, dependencies),
  ]);
  const view = taskViewOf(job, stored, seen);
  const body = withPayload(JSON.stringify(view), workflowText ?? 'null');
  if (fits(body)) return body;
  const payload_url = await workflows.urlOf(job.jobId);
  const byUrl = { ...view, payload: null, payload_url };
  const smaller = JSON.stringify(byUrl);
  return fits(smaller) ? smaller : JSON.stringify({ ...byUrl, outputs: [], outputs_truncated: true });
};

/** GET /api/v1/tasks/{id} and its timeline: of this user's task, or 404. */
export const createGetTaskHandler = (dependencies: GetTaskDependencies): HttpHandler =>
  httpHandler(dependencies.logger, async ({ operation, userId, pathParameters }) => {
    const job = await findOwnTask(pathParameters['id'], userId, dependencies.jobs);
    if (job === undefined) return errorReply(404, NO_SUCH_TASK);
    if (operation === 'getTimeline') return getTimeline(job, dependencies);
    return { status: 200, body: await taskBody(job, dependencies) };
  });
