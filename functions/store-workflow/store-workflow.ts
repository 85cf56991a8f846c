import { storedWorkflowIdSchema } from '../../shared-types/index.ts';
import {
  errorReply,
  httpHandler,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
} from '../adapters/http/http-handler.ts';
import { jsonReply, readText, refusalReply } from '../adapters/http/task-replies.ts';
import type { Clock, Logger, StoredWorkflow, StoredWorkflowStore } from '../core/ports.ts';
import { parseStoredWorkflow } from '../core/submission/parse-stored-workflow.ts';

export interface StoreWorkflowDependencies {
  readonly storedWorkflows: StoredWorkflowStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

const viewOf = ({ workflowId, parameters, createdAt, updatedAt }: Omit<StoredWorkflow, 'workflowText'>) => ({
  id: workflowId,
  parameters,
  created_at: createdAt,
  updated_at: updatedAt,
});

const idOf = ({ pathParameters }: HttpRequest): string | undefined =>
  storedWorkflowIdSchema.safeParse(pathParameters['id']).data;

const notFound = errorReply(404, 'you keep no such workflow; GET /api/v1/workflows lists yours');

const put = async (
  request: HttpRequest,
  { storedWorkflows, clock }: StoreWorkflowDependencies,
): Promise<HttpReply> => {
  const workflowId = idOf(request);
  if (workflowId === undefined) {
    return errorReply(400, 'the id of a stored workflow has 1 to 128 letters, digits and . _ -');
  }
  const decoded = await readText(request);
  if (decoded.kind === 'refused') return refusalReply(decoded);
  const read = parseStoredWorkflow(decoded.text);
  if (read.kind === 'refused') return refusalReply(read);
  const { userId } = request;
  const now = new Date(clock.now()).toISOString();
  const { workflowText, parameters } = read;
  const workflow = { userId, workflowId, workflowText, parameters, createdAt: now, updatedAt: now };
  const outcome = await storedWorkflows.put(workflow);
  const before = outcome === 'replaced' ? await storedWorkflows.get(userId, workflowId) : undefined;
  const createdAt = before?.createdAt ?? now;
  return jsonReply(outcome === 'created' ? 201 : 200, viewOf({ ...workflow, createdAt }));
};

/** The workflow goes into the answer as the text it is stored as, so that its numbers keep every digit. */
const get = async (
  request: HttpRequest,
  { storedWorkflows }: StoreWorkflowDependencies,
): Promise<HttpReply> => {
  const workflowId = idOf(request);
  const found = workflowId === undefined ? undefined : await storedWorkflows.get(request.userId, workflowId);
  if (found === undefined) return notFound;
  const view = JSON.stringify(viewOf(found));
  return { status: 200, body: `${view.slice(0, -1)},"workflow":${found.workflowText}}` };
};

const remove = async (
  request: HttpRequest,
  { storedWorkflows }: StoreWorkflowDependencies,
): Promise<HttpReply> => {
  const workflowId = idOf(request);
  const removed = workflowId !== undefined && (await storedWorkflows.remove(request.userId, workflowId));
  return removed ? { status: 204 } : notFound;
};

const list = async (
  { userId }: HttpRequest,
  { storedWorkflows }: StoreWorkflowDependencies,
): Promise<HttpReply> => jsonReply(200, { workflows: (await storedWorkflows.list(userId)).map(viewOf) });

/** PUT, GET and DELETE /api/v1/workflows/{id}, GET /api/v1/workflows. */
export const createStoreWorkflowHandler = (dependencies: StoreWorkflowDependencies): HttpHandler =>
  httpHandler(dependencies.logger, (request) => {
    const { operation } = request;
    if (operation === 'putWorkflow') return put(request, dependencies);
    if (operation === 'getWorkflow') return get(request, dependencies);
    return operation === 'deleteWorkflow' ? remove(request, dependencies) : list(request, dependencies);
  });
