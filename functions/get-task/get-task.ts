import * as z from 'zod';
import { errorReply, httpHandler, type HttpHandler } from '../adapters/http/http-handler.ts';
import { outputsOfJob } from '../core/job-outputs.ts';
import type { Job } from '../core/job.ts';
import type { JobStore, Logger, OutputStore, WorkflowStore } from '../core/ports.ts';
import { taskViewOf } from '../core/task-view.ts';

export interface GetTaskDependencies {
  readonly jobs: JobStore;
  readonly outputs: OutputStore;
  readonly workflows: WorkflowStore;
  readonly logger: Logger;
}

const taskId = z.uuid();

/** The workflow goes into the answer as the text it is stored as, so that its numbers keep every digit. */
const taskBody = (view: ReturnType<typeof taskViewOf>, workflowText: string): string =>
  `${JSON.stringify(view).slice(0, -1)},"payload":${workflowText}}`;

const viewOf = async (job: Job, { outputs }: GetTaskDependencies): Promise<ReturnType<typeof taskViewOf>> =>
  taskViewOf(job, await outputsOfJob(job, outputs));

/** GET /api/v1/tasks/{id} → the task of this user, or 404. */
export const createGetTaskHandler = (dependencies: GetTaskDependencies): HttpHandler =>
  httpHandler(dependencies.logger, async ({ userId, pathParameters }) => {
    const id = taskId.safeParse(pathParameters['id']);
    const job = id.success ? await dependencies.jobs.get(id.data) : undefined;
    if (job === undefined || job.userId !== userId) {
      return errorReply(404, 'no such task; check the id, it is the one that POST /api/v1/tasks answered');
    }
    const [view, workflow] = await Promise.all([
      viewOf(job, dependencies),
      dependencies.workflows.get(job.jobId),
    ]);
    return { status: 200, body: taskBody(view, workflow ?? '{}') };
  });
