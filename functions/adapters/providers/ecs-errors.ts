/** What an exception of the ECS client means. Its texts are told without credentials: AWS itself repeats headers. */
import { ConflictException, ECSServiceException, type ECSClient } from '@aws-sdk/client-ecs';
import type { ProviderRefusal } from '../../core/providers/worker-provider.ts';
import { quotedWithout, refusalOf } from './provider-http.ts';

/**
 * Common errors of the API (docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html), and the account
 * itself. Most come with status 400.
 */
const UNAUTHORIZED = new Set([
  'AccessDeniedException',
  'BlockedException',
  'CredentialsProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'MissingAuthenticationToken',
  'NotAuthorized',
  'OptInRequired',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]);
const RATE_LIMITED = new Set([
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]);

/**
 * Fargate without room and a cluster without machines are told by text alone, under the code of a wrong request
 * (repost.aws/knowledge-center/ecs-fargate-runtask-capacity).
 */
const NO_CAPACITY =
  /capacity is unavailable|no container instances were found|reached the limit on the number/i;

/** `AGENT`, `ATTRIBUTE`, `RESOURCE:GPU` and their like: no machine takes it (developerguide/api_failures_messages.html). */
const LASTING_FAILURES = new Set(['MISSING', 'INACTIVE']);

/** What RunTask says of the task that it did not start. */
export const failureRefusal = (reason: string): ProviderRefusal => ({
  kind: LASTING_FAILURES.has(reason) ? 'rejected' : 'noCapacity',
  message: `ECS did not start the task: ${quotedWithout(reason, [])}`,
});

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'unknown error');

const headersOf = (error: ECSServiceException): Readonly<Record<string, string>> =>
  error.$response?.headers ?? {};

const byName = (error: unknown, message: string): ProviderRefusal | undefined => {
  if (UNAUTHORIZED.has(nameOf(error))) return { kind: 'unauthorized', message };
  if (!(error instanceof ECSServiceException)) return undefined;
  if (error.name === 'LimitExceededException' || NO_CAPACITY.test(error.message)) {
    return { kind: 'noCapacity', message };
  }
  const isThrottled = RATE_LIMITED.has(error.name);
  const status = isThrottled ? 429 : (error.$metadata.httpStatusCode ?? 0);
  return refusalOf(status, headersOf(error)['retry-after'], message);
};

const credentialsOf = async (client: ECSClient): Promise<string[]> => {
  try {
    const { accessKeyId, secretAccessKey, sessionToken = '' } = await client.config.credentials();
    return [sessionToken, secretAccessKey, accessKeyId];
  } catch {
    return [];
  }
};

/** @param secrets values of the request that must not be told */
export const refusalFromError = async (
  error: unknown,
  client: ECSClient,
  secrets: readonly string[],
): Promise<ProviderRefusal> => {
  const hidden = [...secrets, ...(await credentialsOf(client))];
  const message = `ECS: ${nameOf(error)}: ${quotedWithout(textOf(error), hidden)}`;
  return byName(error, message) ?? { kind: 'unavailable', message };
};

/** The tasks that a client token stands for already, when it came with another request. */
export const conflictingTasks = (error: unknown): readonly string[] =>
  error instanceof ConflictException ? (error.resourceIds ?? []) : [];
