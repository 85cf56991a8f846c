import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { EmbeddedAwsError } from '../contract.ts';
import type { AttemptOutcome } from './async-delivery.ts';
import type { FunctionOutput } from './function-output.ts';

/** What the HTTP API needs of the service. */
interface LambdaApi {
  find(functionName: string): { readonly output: FunctionOutput };
  execute(functionName: string, payload: string, clientContext?: unknown): Promise<AttemptOutcome>;
  invokeAsync(functionName: string, payload: string): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Quotas of the Invoke API, in bytes. */
const maxSyncBytes = 6 * 1024 * 1024;
const maxAsyncBytes = 1024 * 1024;

/** `POST /2015-03-31/functions/{name}/invocations`; any other operation is refused by name. Never rejects. */
export async function handleInvokeRequest(
  api: LambdaApi,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = await route(api, request).catch(failure);
  const headers = { 'x-amzn-RequestId': randomUUID(), 'content-type': 'application/json', ...answer.headers };
  response.writeHead(answer.status, headers).end(answer.body);
}

async function route(api: LambdaApi, request: IncomingMessage): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://lambda');
  const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url.pathname)?.[1];
  if (request.method !== 'POST' || name === undefined) {
    return errorAnswer(404, 'UnknownOperationException', `${request.method} ${url.pathname} is not emulated`);
  }
  const body = await buffer(request);
  const qualifier = url.searchParams.get('Qualifier');
  const functionName = decodeURIComponent(name) + (qualifier === null ? '' : `:${qualifier}`);
  const { output } = api.find(functionName);
  const payload = body.length === 0 ? '{}' : body.toString('utf8');
  const problem = payloadProblem(payload, body.length, request);
  if (problem) return problem;
  const type = header(request, 'x-amz-invocation-type') ?? 'RequestResponse';
  if (type === 'DryRun') return { status: 204 };
  if (type === 'Event') {
    await api.invokeAsync(functionName, payload);
    return { status: 202 };
  }
  const outcome = await api.execute(functionName, payload, clientContext(request));
  const tail = header(request, 'x-amz-log-type') === 'Tail' ? { 'X-Amz-Log-Result': output.tail() } : {};
  return outcomeAnswer(outcome, tail);
}

function payloadProblem(payload: string, bytes: number, request: IncomingMessage): Answer | undefined {
  const limit = header(request, 'x-amz-invocation-type') === 'Event' ? maxAsyncBytes : maxSyncBytes;
  if (bytes > limit) {
    const message = `${bytes} byte payload is too large for the invocation type (limit ${limit} bytes)`;
    return errorAnswer(413, 'RequestTooLargeException', message);
  }
  try {
    JSON.parse(payload);
    return undefined;
  } catch (error) {
    const message = `Could not parse request body into json: ${String(error)}`;
    return errorAnswer(400, 'InvalidRequestContentException', message);
  }
}

function outcomeAnswer(outcome: AttemptOutcome, extra: Readonly<Record<string, string>>): Answer {
  if (outcome.kind === 'throttled') {
    const answer = errorAnswer(429, 'TooManyRequestsException', 'Rate Exceeded.');
    return {
      ...answer,
      body: JSON.stringify({
        Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
        message: 'Rate Exceeded.',
      }),
    };
  }
  const headers = { ...extra, 'X-Amz-Executed-Version': '$LATEST' };
  if (outcome.kind === 'ok') return { status: 200, headers, body: outcome.payload };
  return {
    status: 200,
    headers: { ...headers, 'X-Amz-Function-Error': 'Unhandled' },
    body: JSON.stringify(outcome.failure),
  };
}

function clientContext(request: IncomingMessage): unknown {
  const encoded = header(request, 'x-amz-client-context');
  if (encoded === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
  } catch (cause) {
    throw new EmbeddedAwsError('InvalidRequestContentException', 'Client context is not base64 JSON', {
      cause,
    });
  }
}

function failure(error: unknown): Answer {
  if (!(error instanceof EmbeddedAwsError)) return errorAnswer(500, 'ServiceException', String(error));
  return errorAnswer(error.code === 'ResourceNotFoundException' ? 404 : 400, error.code, error.message);
}

function errorAnswer(status: number, code: string, message: string): Answer {
  const body = JSON.stringify({ Type: status < 500 ? 'User' : 'Service', Message: message, message });
  return { status, headers: { 'x-amzn-ErrorType': code }, body };
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
