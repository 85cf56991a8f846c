/** What API Gateway hands to a function of the task API, payload format 2.0. */
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { apiRoutes, routeKeyOf, type OperationId } from '../../../shared-types/api-routes.ts';
import { ALL_SCOPES, writeScopes } from '../../core/identity/scopes.ts';
import type { ApiScope } from '../../core/ports.ts';

export interface ApiCall {
  /** `user-1` by default; null for a request that no authorizer saw. */
  readonly userId?: string | null;
  /** All by default. */
  readonly scopes?: readonly ApiScope[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly pathParameters?: Readonly<Record<string, string>>;
  /** Bytes travel as base64, as API Gateway does with what is no text. */
  readonly body?: string | Buffer;
}

export const apiEvent = (operation: OperationId, call: ApiCall = {}): APIGatewayProxyEventV2 => {
  const { userId = 'user-1', scopes = ALL_SCOPES, headers = {}, query, pathParameters, body } = call;
  const lambda = { userId, scopes: writeScopes(scopes) };
  return {
    version: '2.0',
    routeKey: routeKeyOf(apiRoutes[operation]),
    headers,
    ...(query && { queryStringParameters: query }),
    ...(pathParameters && { pathParameters }),
    requestContext: userId === null ? {} : { authorizer: { lambda } },
    ...(body !== undefined && { body: typeof body === 'string' ? body : body.toString('base64') }),
    isBase64Encoded: Buffer.isBuffer(body),
  } as unknown as APIGatewayProxyEventV2;
};
