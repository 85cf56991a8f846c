/**
 * The seams inside the embedded AWS: what a service offers to the front door and to the template, and what
 * services ask of each other. Nothing here, and nothing in this folder, knows what application runs on it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Where the emulated account lives. Every ARN is built from these. */
export interface AwsPlace {
  readonly region: string;
  readonly accountId: string;
}

/** One emulated AWS service behind the single endpoint, chosen by the signing name of the request. */
export interface AwsService {
  /** Signing name in the SigV4 credential scope: `events`, `s3`, `sqs`, `dynamodb`, `lambda`, `execute-api`. */
  readonly signingName: string;
  /** Answers one SDK request, errors in the service's own wire form included. Must not reject. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Frees every socket, timer, thread and file. Idempotent. */
  close(): Promise<void>;
}

/** One resource of a template, its intrinsic functions already resolved. */
export interface ResourceRequest {
  readonly stackName: string;
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** What `Ref` and `Fn::GetAtt` answer for a created resource. */
export interface ProvisionedResource {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Creates the resource. Throws `EmbeddedAwsError` naming logical id and property when it cannot honour one. */
export type ResourceProvider = (request: ResourceRequest) => Promise<ProvisionedResource>;

/** Providers by CloudFormation type, for example `AWS::SQS::Queue`. */
export type ResourceProviders = Readonly<Record<string, ResourceProvider>>;

/** The answer of one function invocation. `payload` is the JSON text that the handler returned. */
export type InvokeResult =
  | { readonly kind: 'ok'; readonly payload: string }
  | { readonly kind: 'functionError'; readonly errorType: string; readonly errorMessage: string }
  | { readonly kind: 'throttled' };

/** Lambda as the other services see it. `functionArn` is an ARN or a plain function name. */
export interface FunctionInvoker {
  /** RequestResponse: waits for the handler. Rejects only when no such function exists. */
  invoke(functionArn: string, payload: string): Promise<InvokeResult>;
  /** Event: answers once queued; the function's own retry attempts and failure destination then apply. */
  invokeAsync(functionArn: string, payload: string): Promise<void>;
}

/** SQS as the other services see it (dead-letter queues, targets). */
export interface QueueSender {
  /** `queueArn` as in a template; attributes become SQS string message attributes. Rejects when no such queue exists. */
  send(queueArn: string, body: string, attributes?: Readonly<Record<string, string>>): Promise<void>;
}

/** Structured log line sink: one short event name and its data. */
export type Log = (event: string, data?: Readonly<Record<string, unknown>>) => void;

/** Why the embedded AWS cannot start or serve; the message is one line that names the thing and the fix. */
export class EmbeddedAwsError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EmbeddedAwsError';
    this.code = code;
  }
}
