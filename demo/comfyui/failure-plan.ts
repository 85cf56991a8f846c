/** Failures asked for in advance: each fires once, at the next job or the next request it concerns. */

export const RUN_FAILURES = [
  'execution_error',
  'oom',
  'interrupt',
  'crash',
  'drop-socket',
  'stall',
  'worker-dead',
] as const;
export const REQUEST_FAILURES = ['http-500-but-queued', 'http-503'] as const;

export type RunFailure = (typeof RUN_FAILURES)[number];
export type RequestFailure = (typeof REQUEST_FAILURES)[number];
export type FailureKind = RunFailure | RequestFailure;

export interface PlannedFailure {
  readonly kind: RunFailure;
  /** How many steps the job may report before it happens. A job with fewer fails at its last chance. */
  readonly afterSteps: number;
  /** For a crash: come back after so many milliseconds. Without it the pod stays down. */
  readonly restartAfterMs?: number;
}

export class FailurePlan {
  private readonly runs: PlannedFailure[] = [];
  private readonly requests: RequestFailure[] = [];
  private readonly rejections: number[] = [];

  addRun(failure: PlannedFailure): void {
    this.runs.push(failure);
  }

  addRequest(failure: RequestFailure): void {
    this.requests.push(failure);
  }

  /** The next POST /prompt answers with this status and queues nothing. */
  reject(status: number): void {
    this.rejections.push(status);
  }

  takeRun(): PlannedFailure | undefined {
    return this.runs.shift();
  }

  takeRequest(): RequestFailure | undefined {
    return this.requests.shift();
  }

  takeRejection(): number | undefined {
    return this.rejections.shift();
  }

  clear(): void {
    this.runs.length = 0;
    this.requests.length = 0;
    this.rejections.length = 0;
  }
}

export function isRunFailure(kind: unknown): kind is RunFailure {
  return RUN_FAILURES.some((known) => known === kind);
}

export function isRequestFailure(kind: unknown): kind is RequestFailure {
  return REQUEST_FAILURES.some((known) => known === kind);
}
