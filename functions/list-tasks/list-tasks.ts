import { taskListQuerySchema, type Metrics, type TaskList } from '../../shared-types/index.ts';
import {
  errorReply,
  httpHandler,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
} from '../adapters/http/http-handler.ts';
import { jsonReply } from '../adapters/http/task-replies.ts';
import type { Job } from '../core/job.ts';
import type { JobIndex, JobStore, Logger, TaskFilter, WorkerStore } from '../core/ports.ts';
import { taskSummaryOf } from '../core/task-view.ts';
import type { InstanceStore } from '../core/scaling/ports.ts';
import { workerMetricsOf } from '../core/worker-view.ts';

export interface ListTasksDependencies {
  readonly index: JobIndex;
  readonly jobs: JobStore;
  readonly workers: WorkerStore;
  readonly instances: Pick<InstanceStore, 'list'>;
  readonly logger: Logger;
}

/** The index lags, so a job may have moved on, or belong elsewhere, by the time it is read. */
const belongs =
  (userId: string, { status, workflowId }: TaskFilter) =>
  (job: Job | undefined): job is Job =>
    job?.userId === userId &&
    (status === undefined || job.status === status) &&
    (workflowId === undefined || job.workflowId === workflowId);

const filterOf = (query: HttpRequest['query']): TaskFilter | string => {
  const read = taskListQuerySchema.safeParse(query);
  if (!read.success) return read.error.issues[0]?.message ?? 'the query is invalid';
  const { status, workflow_id: workflowId, limit, cursor } = read.data;
  return {
    limit,
    ...(status === undefined ? {} : { status }),
    ...(workflowId === undefined ? {} : { workflowId }),
    ...(cursor === undefined ? {} : { cursor }),
  };
};

const listTasks = async (
  { userId, query }: HttpRequest,
  { index, jobs }: ListTasksDependencies,
): Promise<HttpReply> => {
  const filter = filterOf(query);
  if (typeof filter === 'string') return errorReply(400, filter);
  const page = await index.list(userId, filter);
  if (page.kind === 'invalidCursor') {
    return errorReply(400, 'cursor is not one of ours; pass the next_cursor of the page before, or none');
  }
  const read = await Promise.all(page.jobIds.map((jobId) => jobs.get(jobId)));
  const tasks = read.filter(belongs(userId, filter)).map(taskSummaryOf);
  return jsonReply(200, { tasks, next_cursor: page.cursor ?? null } satisfies TaskList);
};

const getMetrics = async (
  { userId }: HttpRequest,
  { index, workers, instances }: ListTasksDependencies,
): Promise<HttpReply> => {
  const [counts, registered, launched] = await Promise.all([
    index.counts(userId),
    workers.list(),
    instances.list(),
  ]);
  const metrics: Metrics = {
    queue: {
      pending_tasks: counts.pending,
      running_tasks: counts.assigned + counts.running,
      completed_tasks: counts.completed,
      failed_tasks: counts.failed,
      cancelled_tasks: counts.cancelled,
    },
    workers: workerMetricsOf(registered, launched),
  };
  return jsonReply(200, metrics);
};

/** GET /api/v1/tasks and GET /api/v1/metrics. */
export const createListTasksHandler = (dependencies: ListTasksDependencies): HttpHandler =>
  httpHandler(dependencies.logger, (request) =>
    request.operation === 'getMetrics' ? getMetrics(request, dependencies) : listTasks(request, dependencies),
  );
