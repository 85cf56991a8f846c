/** What became of callbacks, a delivery once more, and the secret that signs them. */
import * as z from 'zod';
import {
  errorReply,
  httpHandler,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
} from '../adapters/http/http-handler.ts';
import type { Callback } from '../core/callbacks/callback.ts';
import { redeliver, type DeliverDependencies } from '../core/callbacks/deliver-callback.ts';
import { secretOf } from '../core/callbacks/standard-webhooks.ts';
import type { Job } from '../core/job.ts';

/** The old secret signs beside the new one for this long. */
const ROTATION_MS = 24 * 3600 * 1000;
const taskId = z.uuid();

const viewOf = ({ callbackId, event, url, status, attempts, nextAttemptAt }: Callback) => ({
  id: callbackId,
  event,
  url,
  status,
  attempts: attempts.map(({ at, statusCode, error, durationMs }) => ({
    at,
    status_code: statusCode,
    error,
    duration_ms: durationMs,
  })),
  next_attempt_at: nextAttemptAt,
});

const ok = (status: number, body: unknown): HttpReply => ({ status, body: JSON.stringify(body) });

const taskOf = async (
  { userId, pathParameters }: HttpRequest,
  { jobs }: DeliverDependencies,
): Promise<Job | undefined> => {
  const id = taskId.safeParse(pathParameters['id']);
  const job = id.success ? await jobs.get(id.data) : undefined;
  return job?.userId === userId ? job : undefined;
};

const deliveries = async (status: number, job: Job, { callbacks }: DeliverDependencies): Promise<HttpReply> =>
  ok(status, { deliveries: (await callbacks.list(job.jobId)).map(viewOf) });

const onRedeliver = async (job: Job, deps: DeliverDependencies): Promise<HttpReply> => {
  switch (await redeliver(job, deps)) {
    case 'noCallback':
      return errorReply(409, 'the task has no callback_url; name one when you submit');
    case 'notEnded':
      return errorReply(409, `the task is ${job.status}: its callback is made when it ends`);
    case 'made':
      return deliveries(202, job, deps);
  }
};

const onSecret = async (
  { operation, userId }: HttpRequest,
  { callbacks, clock, secretBytes }: DeliverDependencies,
): Promise<HttpReply> => {
  const fresh = secretOf(secretBytes());
  const { current } =
    operation === 'rotateCallbackSecret'
      ? await callbacks.rotate(userId, fresh, new Date(clock.now() + ROTATION_MS).toISOString())
      : await callbacks.secrets(userId, fresh);
  return ok(200, { secret: current });
};

export const createCallbackLogHandler = (deps: DeliverDependencies): HttpHandler =>
  httpHandler(deps.logger, async (request) => {
    const { operation } = request;
    if (operation === 'getCallbackSecret' || operation === 'rotateCallbackSecret')
      return onSecret(request, deps);
    const job = await taskOf(request, deps);
    if (job === undefined)
      return errorReply(404, 'no such task; check the id, it is the one that POST /api/v1/tasks answered');
    return operation === 'redeliverCallback' ? onRedeliver(job, deps) : deliveries(200, job, deps);
  });
