/** The AWS JSON 1.0 and 1.1 wire form: one POST, the operation in `x-amz-target`, errors by `__type`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import * as z from 'zod';

/** An error that the SDK gets under its own name. `status` 400 blames the caller, 500 makes the SDK retry. */
export class AwsJsonError extends Error {
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  constructor(code: string, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'AwsJsonError';
    this.code = code;
    this.status = options.status ?? 400;
    this.retryable = this.status >= 500;
  }
}

export type Operation = (input: unknown, signal: AbortSignal) => unknown;

export interface AwsJsonProtocol {
  /** The part of `x-amz-target` before the dot. */
  readonly targetPrefix: string;
  readonly version: '1.0' | '1.1';
  readonly operations: Readonly<Record<string, Operation>>;
  /** Longest body in bytes. */
  readonly maxBodyBytes: number;
  /** Older error names that the SDK also understands (`x-amzn-query-error`). */
  readonly queryErrors?: boolean;
}

/** Answers one request. Never rejects: whatever fails becomes an error answer. */
export async function answerAwsJson(
  protocol: AwsJsonProtocol,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const operation = findOperation(protocol, request.headers['x-amz-target']);
    const input = parseBody(await readBody(request, protocol.maxBodyBytes));
    const output: unknown = await operation(input, gone.signal);
    reply(protocol, response, 200, output ?? {});
  } catch (error) {
    replyError(protocol, response, error);
  }
}

function findOperation(protocol: AwsJsonProtocol, target: string | string[] | undefined): Operation {
  const [prefix, name = ''] = String(target ?? '').split('.');
  const known = Object.hasOwn(protocol.operations, name) ? protocol.operations[name] : undefined;
  if (prefix === protocol.targetPrefix && known) return known;
  throw new AwsJsonError(
    'UnknownOperationException',
    `The operation ${String(target)} is not supported here`,
  );
}

async function readBody(request: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit)
      throw new AwsJsonError('RequestEntityTooLarge', `The body is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch (error) {
    throw new AwsJsonError('SerializationException', 'The body is not JSON', { cause: error });
  }
}

function reply(protocol: AwsJsonProtocol, response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, {
    'content-type': `application/x-amz-json-${protocol.version}`,
    'x-amzn-requestid': randomUUID(),
  });
  response.end(JSON.stringify(body));
}

function replyError(protocol: AwsJsonProtocol, response: ServerResponse, error: unknown): void {
  const failure = asAwsError(error);
  if (protocol.queryErrors === true && !response.headersSent) {
    response.setHeader(
      'x-amzn-query-error',
      `${failure.code};${failure.status < 500 ? 'Sender' : 'Receiver'}`,
    );
  }
  reply(protocol, response, failure.status, { __type: failure.code, message: failure.message });
}

function asAwsError(error: unknown): AwsJsonError {
  if (error instanceof AwsJsonError) return error;
  if (error instanceof z.ZodError)
    return new AwsJsonError('ValidationException', describeIssues(error), { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new AwsJsonError('InternalFailure', message, { status: 500, cause: error });
}

/** `Targets.0.Arn: Invalid input`, for messages that name the property at fault. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map((issue) => {
      const keys = issue.code === 'unrecognized_keys' ? ` (${issue.keys.join(', ')})` : '';
      return `${issue.path.join('.') || 'input'}: ${issue.message}${keys}`;
    })
    .join('; ');
}
