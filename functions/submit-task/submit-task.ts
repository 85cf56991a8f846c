import {
  errorReply,
  httpHandler,
  type HttpHandler,
  type HttpRequest,
} from '../adapters/http/http-handler.ts';
import { jsonReply, readText, refusalReply } from '../adapters/http/task-replies.ts';
import type { Accepted } from '../core/submission/accept-task.ts';
import { findOwnTask, NO_SUCH_TASK } from '../core/submission/own-task.ts';
import { retryTask } from '../core/submission/retry-task.ts';
import { submitTask, type SubmitDependencies } from '../core/submission/submit-task.ts';

const IDEMPOTENCY_KEY = 'idempotency-key';

const submit = async (request: HttpRequest, dependencies: SubmitDependencies): Promise<Accepted> => {
  const decoded = await readText(request);
  if (decoded.kind === 'refused') return decoded;
  const { userId, headers } = request;
  const { text } = decoded;
  return submitTask({ userId, text, idempotencyKey: headers[IDEMPOTENCY_KEY] }, dependencies);
};

const reply = (accepted: Accepted) =>
  accepted.kind === 'accepted' ? jsonReply(201, accepted.task) : refusalReply(accepted);

/** POST /api/v1/tasks and POST /api/v1/tasks/{id}/retry → 201, or one line. */
export const createSubmitTaskHandler = (dependencies: SubmitDependencies): HttpHandler =>
  httpHandler(dependencies.logger, async (request) => {
    if (request.operation !== 'retryTask') return reply(await submit(request, dependencies));
    const job = await findOwnTask(request.pathParameters['id'], request.userId, dependencies.jobs);
    if (job === undefined) return errorReply(404, NO_SUCH_TASK);
    return reply(await retryTask(job, request.headers[IDEMPOTENCY_KEY], dependencies));
  });
