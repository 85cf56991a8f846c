import type { IncomingMessage } from 'node:http';
import type { GatewayContext, LambdaAuthorizer } from './api-model.ts';
import { evaluatePolicy } from './iam-policy.ts';
import { invokeWithin, parseJson } from './invoke.ts';
import { isPlainObject } from './properties.ts';
import { headersByName, queryValues, splitTarget } from './request-text.ts';

export type ConnectDecision =
  | { readonly kind: 'allow'; readonly authorizer: Readonly<Record<string, unknown>> }
  | { readonly kind: 'refuse'; readonly status: 401 | 403 | 500 };

const source = /^route\.request\.(header|querystring)\.(.+)$/;
const refuse = (status: 401 | 403 | 500): ConnectDecision => ({ kind: 'refuse', status });

export function isWebSocketIdentitySource(text: string): boolean {
  return source.test(text);
}

/** Asks the REQUEST authorizer of `$connect`; its context and `principalId` go into every event that follows. */
export async function authorizeConnect(
  authorizer: LambdaAuthorizer,
  incoming: IncomingMessage,
  event: Record<string, unknown>,
  resource: string,
  context: GatewayContext,
): Promise<ConnectDecision> {
  if (!authorizer.identitySources.every((text) => hasIdentity(text, incoming))) return refuse(401);
  const startedAt = context.now();
  const timeoutMs = context.limits.webSocketIntegrationTimeoutMs;
  const outcome = await invokeWithin(context, authorizer.functionArn, JSON.stringify(event), timeoutMs);
  if (outcome.kind === 'functionError' && outcome.errorMessage === 'Unauthorized') return refuse(401);
  if (outcome.kind !== 'ok') return refuse(500);
  const answer = parseJson(outcome.payload)?.value;
  if (!isPlainObject(answer) || typeof answer['principalId'] !== 'string') return refuse(500);
  const verdict = evaluatePolicy(answer['policyDocument'], resource);
  const texts = contextTexts(answer['context']);
  if (verdict === 'malformed' || !texts) return refuse(500);
  if (verdict === 'deny') return refuse(403);
  const integrationLatency = context.now() - startedAt;
  const principalId = answer['principalId'];
  return { kind: 'allow', authorizer: { ...texts, principalId, integrationLatency } };
}

function hasIdentity(text: string, incoming: IncomingMessage): boolean {
  const [, from, name = ''] = source.exec(text) ?? [];
  const values =
    from === 'header'
      ? headersByName(incoming.rawHeaders).get(name.toLowerCase())?.values
      : queryValues(splitTarget(incoming.url ?? '/').query).get(name);
  return values?.some((value) => value !== '') ?? false;
}

/** Only flat values are allowed, and functions see them as text; `undefined` when the context breaks that rule. */
function contextTexts(context: unknown): Record<string, string> | undefined {
  if (context === undefined || context === null) return {};
  if (!isPlainObject(context)) return undefined;
  const entries = Object.entries(context).filter(([, value]) => value !== null);
  if (!entries.every(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))) return undefined;
  return Object.fromEntries(entries.map(([key, value]) => [key, String(value)] as const));
}
