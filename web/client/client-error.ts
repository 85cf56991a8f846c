export type ClientErrorCode =
  | 'badPayload'
  | 'network'
  | 'badRequest'
  | 'unauthorized'
  | 'notFound'
  | 'conflict'
  | 'tooLarge'
  | 'tooMany'
  | 'server'
  | 'badAnswer'
  | 'closed';

export interface ClientErrorDetails {
  /** True when the same request may succeed later. */
  readonly retryable: boolean;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  readonly cause?: unknown;
}

/** Everything that the client throws. `message` is one line for people. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly retryable: boolean;
  readonly status: number | undefined;

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails) {
    super(message, { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable;
    this.status = details.status;
  }
}
