import {
  errorReply,
  httpHandler,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
} from '../adapters/http/http-handler.ts';
import { jsonReply } from '../adapters/http/task-replies.ts';
import type { Logger, WorkerStore } from '../core/ports.ts';
import { workerViewOf, type Viewer } from '../core/worker-view.ts';

export interface ManageWorkersDependencies {
  readonly workers: WorkerStore;
  readonly logger: Logger;
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
  { workers, logger }: ManageWorkersDependencies,
): Promise<HttpReply> => {
  const { id = '' } = request.pathParameters;
  if (id === '' || id.length > MAX_WORKER_ID || !(await workers.setDraining(id, draining))) return notFound;
  logger.info('worker.draining', { workerId: id, draining, by: request.userId });
  const worker = await workers.get(id);
  return worker === undefined ? notFound : jsonReply(200, workerViewOf(worker, viewerOf(request)));
};

const listWorkers = async (
  request: HttpRequest,
  { workers }: ManageWorkersDependencies,
): Promise<HttpReply> => {
  const viewer = viewerOf(request);
  const all = await workers.list();
  return jsonReply(200, { workers: all.map((worker) => workerViewOf(worker, viewer)) });
};

/** GET /api/v1/workers, POST /api/v1/workers/{id}/drain and /resume. */
export const createManageWorkersHandler = (dependencies: ManageWorkersDependencies): HttpHandler =>
  httpHandler(dependencies.logger, (request) =>
    request.operation === 'listWorkers'
      ? listWorkers(request, dependencies)
      : setDraining(request, request.operation === 'drainWorker', dependencies),
  );
