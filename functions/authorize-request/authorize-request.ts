/** Lambda authorizer of the task API (payload format 2.0, simple responses): who calls, and what they may do. */
import { identify, type IdentifyDependencies } from '../core/identity/identify.ts';
import { writeScopes } from '../core/identity/scopes.ts';
import type { Logger } from '../core/ports.ts';

export interface AuthorizerEvent {
  readonly routeKey: string;
  /** By lower-case name. */
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
}

export interface AuthorizerAnswer {
  readonly isAuthorized: true;
  /** What functions find in `requestContext.authorizer.lambda`. */
  readonly context:
    | { readonly userId: string; readonly scopes: string }
    | { readonly userId: ''; readonly scopes: ''; readonly refusal: string };
}

/**
 * Credentials that name nobody pass as nobody, whom `httpHandler` answers with 401 on every route that asks for a
 * scope: a simple response that says no can only become API Gateway's 403 without a word of why.
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html)
 * Neither token nor key is ever logged.
 */
export const createAuthorizeRequestHandler =
  (dependencies: IdentifyDependencies & { readonly logger: Logger }) =>
  async ({ routeKey, headers }: AuthorizerEvent): Promise<AuthorizerAnswer> => {
    const identity = await identify(headers ?? {}, dependencies);
    if (identity.kind === 'known') {
      const { userId, scopes } = identity;
      return { isAuthorized: true, context: { userId, scopes: writeScopes(scopes) } };
    }
    const { reason } = identity;
    dependencies.logger.warn('authorize.refused', { routeKey, reason });
    return { isAuthorized: true, context: { userId: '', scopes: '', refusal: reason } };
  };
