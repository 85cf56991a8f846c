/** Tickets for the socket, and API keys. */
import type * as z from 'zod';
import { createKeySchema, keyQuerySchema, type OperationId } from '../../shared-types/index.ts';
import { errorReply, httpHandler, type HttpHandler, type HttpReply } from '../adapters/http/http-handler.ts';
import type { HttpRequest } from '../adapters/http/http-handler.ts';
import { issueKey, issueTicket, ownerFor, type IssueDependencies } from '../core/identity/issue.ts';
import type { ApiKey, Logger } from '../core/ports.ts';

export interface IssueCredentialsDependencies extends IssueDependencies {
  /** What browsers open, `wss://…/stage`. */
  readonly webSocketUrl: string;
  readonly logger: Logger;
}

const json = (status: number, value: unknown): HttpReply => ({ status, body: JSON.stringify(value) });
const invalid = (error: z.ZodError): HttpReply =>
  errorReply(400, error.issues[0]?.message ?? 'the request is invalid');
const forbidden = errorReply(403, "another user's keys need the scope admin");
const notFound = errorReply(404, 'there is no such key; GET /api/v1/keys lists yours');

/** As the API shows a key; the secret is no part of it. */
const viewOf = (key: ApiKey) => ({
  id: key.keyId,
  name: key.name,
  user_id: key.userId,
  scopes: key.scopes,
  created_at: key.createdAt,
  expires_at: key.expiresAt,
  revoked: key.revokedAt !== null,
});

const parseJson = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? '') as unknown;
  } catch {
    return undefined;
  }
};

const createTicket = async (
  { userId }: HttpRequest,
  dependencies: IssueCredentialsDependencies,
): Promise<HttpReply> => {
  const { ticket, expiresAt } = await issueTicket(userId, dependencies);
  return json(201, { ticket, expires_at: expiresAt, web_socket_url: dependencies.webSocketUrl });
};

const createKey = async (
  request: HttpRequest,
  dependencies: IssueCredentialsDependencies,
): Promise<HttpReply> => {
  const sent = parseJson(request.body);
  if (sent === undefined) return errorReply(400, 'the body must be JSON, such as {"name":"my script"}');
  const read = createKeySchema.safeParse(sent);
  if (!read.success) return invalid(read.error);
  const { name, scopes, expires_in_days: expiresInDays, user_id: userId } = read.data;
  const issued = await issueKey({ name, scopes, expiresInDays, userId }, request, dependencies);
  if (issued.kind === 'refused') return errorReply(403, issued.message);
  const { keyId } = issued.key;
  dependencies.logger.info('key.issued', { keyId, by: request.userId, for: issued.key.userId });
  return json(201, { ...viewOf(issued.key), key: issued.text });
};

const listKeys = async (owner: string, { keys }: IssueCredentialsDependencies): Promise<HttpReply> =>
  json(200, { keys: (await keys.list(owner)).map(viewOf) });

const revokeKey = async (
  owner: string,
  { userId, pathParameters }: HttpRequest,
  { keys, clock, logger }: IssueCredentialsDependencies,
): Promise<HttpReply> => {
  const keyId = pathParameters['id'] ?? '';
  if (!/^[0-9a-f]{16}$/.test(keyId)) return notFound;
  if (!(await keys.revoke(owner, keyId, new Date(clock.now()).toISOString()))) return notFound;
  logger.info('key.revoked', { keyId, by: userId, of: owner });
  return { status: 204 };
};

const ownKeys = async (
  request: HttpRequest,
  dependencies: IssueCredentialsDependencies,
): Promise<HttpReply> => {
  const query = keyQuerySchema.safeParse(request.query);
  if (!query.success) return invalid(query.error);
  const owner = ownerFor(request, query.data.user_id);
  if (owner === undefined) return forbidden;
  return request.operation === 'listKeys'
    ? listKeys(owner, dependencies)
    : revokeKey(owner, request, dependencies);
};

type Route = (request: HttpRequest, dependencies: IssueCredentialsDependencies) => Promise<HttpReply>;
const routes: Readonly<Partial<Record<OperationId, Route>>> = {
  createTicket,
  createKey,
  listKeys: ownKeys,
  revokeKey: ownKeys,
};

/** POST /api/v1/tickets; POST and GET /api/v1/keys; DELETE /api/v1/keys/{id}. */
export const createIssueCredentialsHandler = (dependencies: IssueCredentialsDependencies): HttpHandler =>
  httpHandler(dependencies.logger, async (request) => {
    const route = routes[request.operation];
    return route?.(request, dependencies) ?? errorReply(404, 'there is no such route');
  });
