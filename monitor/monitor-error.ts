/** Failures of the monitor that have names. Branch on `code`, never on the message. */
export type MonitorErrorCode =
  | 'configInvalid'
  | 'stateDirLocked'
  | 'stateDirUnusable'
  | 'comfyRefused'
  | 'comfyUnreachable'
  | 'comfyAnswerInvalid'
  | 'previewRefused'
  | 'pictureThreadFailed';

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

/** `code` of a system or SDK error; undefined where there is none. Errors of another realm count too. */
export const errorCode = (error: unknown): string | undefined => {
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
};
