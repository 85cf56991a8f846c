/** What an input of a node is refused for. */
export interface NodeProblem {
  readonly nodeId: string;
  readonly classType: string;
  /** Undefined when it is about the node as a whole. */
  readonly input: string | undefined;
  /** As ComfyUI names it, for example `value_not_in_list`. */
  readonly type: string;
  readonly message: string;
}

export interface ApiErrorDetails {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly problems?: readonly NodeProblem[];
  readonly cause?: unknown;
}

/** Everything that the page's API throws. `message` is one line for people. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: 'network' | 'unauthorized' | 'refused' | 'badAnswer';
  readonly retryable: boolean;
  readonly status: number;
  readonly problems: readonly NodeProblem[];

  constructor(code: ApiError['code'], message: string, { status, problems = [], cause }: ApiErrorDetails) {
    super(message, { cause });
    this.code = code;
    this.status = status;
    this.problems = problems;
    this.retryable = code === 'network' || status === 429 || status >= 500;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
