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
  declare readonly code: ClientErrorCode;
  declare readonly retryable: boolean;
  declare readonly status: number | undefined;

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails = { retryable: false }) {
    super(message, details);
    const { retryable, status } = details;
    Object.assign(this, { name: 'ClientError', code, retryable, status });
  }
}

export const closedError = (): ClientError => new ClientError('closed', 'The client was closed');
