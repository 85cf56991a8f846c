import {
  errorReply,
  httpHandler,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
} from '../adapters/http/http-handler.ts';
import { jsonReply } from '../adapters/http/task-replies.ts';
import type { WorkerStore } from '../core/ports.ts';
import type { InstanceStore } from '../core/scaling/ports.ts';
import { wakeDispatcher, type WakeDependencies } from '../core/wake-dispatcher.ts';
import { workerViewsOf, workerViewOf, type Viewer } from '../core/worker-view.ts';

export interface ManageWorkersDependencies extends WakeDependencies {
  readonly workers: WorkerStore;
  readonly instances: Pick<InstanceStore, 'list'>;
}

const MAX_WORKER_ID = 128;

const viewerOf = ({ userId, scopes }: HttpRequest): Viewer => ({
  userId,
  isOperator: scopes.includes('admin'),
});

const notFound = errorReply(404, 'no such worker; GET /api/v1/workers lists them');

const setDraining = async (
  request: HttpRequest,
  draining: boolean,
  dependencies: ManageWorkersDependencies,
): Promise<HttpReply> => {
  const { workers, logger } = dependencies;
  const { id = '' } = request.pathParameters;
  if (id === '' || id.length > MAX_WORKER_ID || !(await workers.setDraining(id, draining))) return notFound;
  logger.info('worker.draining', { workerId: id, draining, by: request.userId });
  if (!draining) await wakeDispatcher(dependencies);
  const worker = await workers.get(id);
  return worker === undefined ? notFound : jsonReply(200, workerViewOf(worker, viewerOf(request)));
};

const listWorkers = async (
  request: HttpRequest,
  { workers, instances }: ManageWorkersDependencies,
): Promise<HttpReply> => {
  const [registered, launched] = await Promise.all([workers.list(), instances.list()]);
  return jsonReply(200, { workers: workerViewsOf(registered, launched, viewerOf(request)) });
};

/** GET /api/v1/workers, POST /api/v1/workers/{id}/drain and /resume. */
export const createManageWorkersHandler = (dependencies: ManageWorkersDependencies): HttpHandler =>
  httpHandler(dependencies.logger, (request) =>
    request.operation === 'listWorkers'
      ? listWorkers(request, dependencies)
      : setDraining(request, request.operation === 'drainWorker', dependencies),
  );
