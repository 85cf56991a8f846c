import { changeTaskSchema } from '../../shared-types/index.ts';
import {
  errorReply,
  httpHandler,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
} from '../adapters/http/http-handler.ts';
import { jsonReply, readBody, refusalReply } from '../adapters/http/task-replies.ts';
import { cancelJob, type CancelDependencies } from '../core/cancel-job.ts';
import { changePriority } from '../core/submission/change-priority.ts';
import { findOwnTask, NO_SUCH_TASK, readTaskId } from '../core/submission/own-task.ts';
import { taskSummaryOf } from '../core/task-view.ts';

export type ChangeTaskDependencies = CancelDependencies;

const notFound = errorReply(404, NO_SUCH_TASK);

const cancel = async (
  { userId, pathParameters }: HttpRequest,
  dependencies: ChangeTaskDependencies,
): Promise<HttpReply> => {
  const jobId = readTaskId(pathParameters['id']);
  if (jobId === undefined) return notFound;
  const answer = await cancelJob({ jobId, userId }, dependencies);
  switch (answer.kind) {
    case 'notFound':
      return notFound;
    case 'cancelled':
      return jsonReply(200, taskSummaryOf(answer.job));
    case 'requested':
      return jsonReply(202, taskSummaryOf(answer.job));
    case 'ended':
      return errorReply(409, `this task has ${answer.job.status} already and cannot be cancelled`);
  }
};

const changeTask = async (request: HttpRequest, dependencies: ChangeTaskDependencies): Promise<HttpReply> => {
  const job = await findOwnTask(request.pathParameters['id'], request.userId, dependencies.jobs);
  if (job === undefined) return notFound;
  const read = await readBody(request, changeTaskSchema, 'priority');
  if (read.kind === 'refused') return refusalReply(read);
  const change = await changePriority(job, read.fields.priority, dependencies);
  if (change.kind === 'changed') return jsonReply(200, taskSummaryOf(change.job));
  return errorReply(409, 'the priority of a task can be changed only while it is pending');
};

/** DELETE and PATCH /api/v1/tasks/{id}. */
export const createChangeTaskHandler = (dependencies: ChangeTaskDependencies): HttpHandler =>
  httpHandler(dependencies.logger, (request) =>
    request.operation === 'cancelTask' ? cancel(request, dependencies) : changeTask(request, dependencies),
  );
