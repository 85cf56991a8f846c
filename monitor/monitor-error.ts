/** Failures of the monitor that have names. Branch on `code`, never on the message. */
export type MonitorErrorCode =
  | 'configInvalid'
  | 'stateDirLocked'
  | 'stateDirUnusable'
  | 'comfyRefused'
  | 'comfyUnreachable'
  | 'comfyAnswerInvalid';

export class MonitorError extends Error {
  readonly code: MonitorErrorCode;
  readonly retryable: boolean;

  constructor(code: MonitorErrorCode, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'MonitorError';
    this.code = code;
    this.retryable = options.retryable;
  }
}
