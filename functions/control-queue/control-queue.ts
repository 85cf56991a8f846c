import { queueControlSchema } from '../../shared-types/index.ts';
import {
  errorReply,
  httpHandler,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
} from '../adapters/http/http-handler.ts';
import { jsonReply, readBody, refusalReply } from '../adapters/http/task-replies.ts';
import { wakeDispatcher, type WakeDependencies } from '../core/wake-dispatcher.ts';

export type ControlQueueDependencies = WakeDependencies;

const stateOf = async (userId: string, { shares }: ControlQueueDependencies): Promise<HttpReply> => {
  const { paused, users } = await shares.list();
  const own = users.find((share) => share.userId === userId);
  return jsonReply(200, { paused: own?.paused ?? false, all_paused: paused });
};

/** Pausing twice, or resuming what runs, is no error: the answer says how things are. */
const control = async (
  request: HttpRequest,
  paused: boolean,
  dependencies: ControlQueueDependencies,
): Promise<HttpReply> => {
  const read = await readBody(request, queueControlSchema, 'scope, "mine" or "all"', '{}');
  if (read.kind === 'refused') return refusalReply(read);
  const { shares, logger } = dependencies;
  const { userId, scopes } = request;
  if (read.fields.scope === 'mine') {
    await shares.setPaused(userId, paused);
  } else if (scopes.includes('admin')) {
    await shares.setAllPaused(paused);
    logger.info('queue.all', { paused, by: userId });
  } else {
    return errorReply(403, 'scope "all" needs the scope admin; without a scope your own queue is meant');
  }
  if (!paused) await wakeDispatcher(dependencies);
  return stateOf(userId, dependencies);
};

/** GET /api/v1/queue, POST /api/v1/queue/pause and /resume. */
export const createControlQueueHandler = (dependencies: ControlQueueDependencies): HttpHandler =>
  httpHandler(dependencies.logger, (request) =>
    request.operation === 'getQueue'
      ? stateOf(request.userId, dependencies)
      : control(request, request.operation === 'pauseQueue', dependencies),
  );
