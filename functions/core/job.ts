/** A job as the control plane knows it, and the one shape of change that may happen to it. */
import type {
  FailureReason,
  JobProgress,
  JobStatus,
  MissingOutput,
  StoredOutput,
} from '../../shared-types/index.ts';

export interface JobFailure {
  readonly reason: FailureReason;
  readonly message: string;
  readonly nodeId?: string;
  readonly nodeName?: string;
  readonly nodeType?: string;
  readonly exceptionType?: string;
  /**
   * Nothing was heard of the attempt, and yet it began: ComfyUI had nothing else of ours, and went down with it. Evidence
   * for the failure policy; told to nobody.
   */
  readonly unheard?: true;
}

/** What a job needs of the worker that runs it. */
export interface JobNeeds {
  /** `class_type`s of its workflow, sorted. */
  readonly classes: readonly string[];
  /** Model files that its workflow names, as it names them, sorted. */
  readonly models: readonly string[];
  /** Tags that the caller asked for; a worker must have all of them. */
  readonly tags: readonly string[];
}

/** One attempt that has ended. */
export interface EndedAttempt {
  readonly attempt: number;
  readonly workerId: string | null;
  readonly promptId: string | null;
  /** ISO 8601. */
  readonly assignedAt: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string;
  readonly outcome: 'completed' | 'failed' | 'cancelled';
  readonly failure: JobFailure | null;
}

/** Why the control plane told ComfyUI to end an attempt that would have gone on. */
export type EndingReason = 'cancel' | 'timeout';

/**
 * The job item. Small on purpose: DynamoDB bills the whole item on every write, so the workflow, the node
 * timeline and the full list of outputs live elsewhere.
 */
export interface Job {
  readonly jobId: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly workflowId: string;
  /** 0–10, 10 first. */
  readonly priority: number;
  readonly status: JobStatus;
  /** 0 before the first dispatch; each dispatch adds one. */
  readonly attempt: number;
  /** Grows by one with each applied change and never restarts: the `sequence` of pushes. */
  readonly revision: number;
  /** `sequence` of the last monitor event applied within this attempt; 0 at its start. */
  readonly eventSequence: number;
  readonly promptId: string | null;
  readonly workerId: string | null;
  readonly clientId: string | null;
  readonly retryCount: number;
  readonly maxRetries: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** When it last became pending. */
  readonly queuedAt: string;
  readonly assignedAt: string | null;
  /** Prompts that its worker held when it was given this one: with 0 ComfyUI began at once. Null before, and in old rows. */
  readonly queuedBehind: number | null;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly updatedAt: string;
  /** Set when ComfyUI has finished and outputs are being stored. */
  readonly storingSince: string | null;
  /** Set when someone asked for cancellation. */
  readonly cancelRequestedAt: string | null;
  /** Set when ComfyUI was told to end this attempt, for `endingReason`; the next attempt starts with null. */
  readonly endingSince: string | null;
  readonly endingReason: EndingReason | null;
  /** Seconds that one attempt may run, from `startedAt` on; 1–86,400. */
  readonly timeoutSeconds: number;
  readonly needs: JobNeeds;
  /** Files to upload to the worker before the prompt; how they are named is in the workflow store. */
  readonly fileCount: number;
  /** Told of the end of the job; checked when it was submitted and again at each call. */
  readonly callbackUrl: string | null;
  /** SHA-256 of the submission that an Idempotency-Key came with; null without one. */
  readonly requestHash: string | null;
  /** The job that this one repeats. */
  readonly retryOf: string | null;
  /** Oldest first; the attempt that runs is not among them. */
  readonly attempts: readonly EndedAttempt[];
  /**
   * ISO 8601: when the sweep looks at the job although nothing was heard of it. Set while it is assigned or running,
   * null otherwise. Indexed, so that the sweep finds just the jobs that are due.
   */
  readonly dueAt: string | null;
  readonly progress: JobProgress | null;
  /** Outputs stored before the end; the same output may stand in it twice (dedupe by outputId). */
  readonly earlyOutputs: readonly StoredOutput[];
  /** Outputs in all, in the output store; 0 before the end. */
  readonly outputCount: number;
  /** Execution time in ComfyUI, milliseconds. */
  readonly durationMs: number | null;
  readonly failure: JobFailure | null;
  /** eventId of the event that ended the job, so that its second delivery is recognised. */
  readonly endedByEventId: string | null;
  /** Connections that follow the job. */
  readonly connections: readonly string[];
  /** Those of them that asked for pictures while sampling. */
  readonly previewConnections: readonly string[];
}

/** What must still hold for a change to apply; everything named is compared in one conditional write. */
export interface JobGuard {
  readonly jobId: string;
  readonly statuses: readonly JobStatus[];
  readonly attempt?: number;
  /** Protection from a forged worker: the lease holder of the attempt. */
  readonly workerId?: string;
  readonly promptId?: string;
  /** Applies only while `eventSequence` is lower: order and idempotence. */
  readonly eventSequenceBelow?: number;
}

export type JobPatch = Partial<
  Omit<
    Job,
    'jobId' | 'revision' | 'updatedAt' | 'connections' | 'previewConnections' | 'earlyOutputs' | 'attempts'
  >
> & {
  /** Appended to `attempts`. */
  readonly addAttempt?: EndedAttempt;
  /** Appended to `earlyOutputs`. */
  readonly addEarlyOutputs?: readonly StoredOutput[];
  /** Starts a new attempt's early outputs from nothing. */
  readonly clearEarlyOutputs?: true;
};

/** One conditional write: applies whole or not at all, adds one to `revision`. */
export interface JobChange {
  readonly guard: JobGuard;
  readonly patch: JobPatch;
}

/** A condition that did not hold is a normal answer (a duplicate, a late or a forged event). */
export type JobUpdate = { readonly kind: 'applied'; readonly job: Job } | { readonly kind: 'refused' };

export const TERMINAL_STATUSES = ['completed', 'failed', 'cancelled'] as const satisfies readonly JobStatus[];
export const ACTIVE_STATUSES = ['assigned', 'running'] as const satisfies readonly JobStatus[];

export const isTerminal = (status: JobStatus): boolean =>
  (TERMINAL_STATUSES as readonly JobStatus[]).includes(status);

/** The outputs of an ended job, kept beside the job item. */
export interface JobOutputs {
  readonly outputs: readonly StoredOutput[];
  readonly missingOutputs: readonly MissingOutput[];
}
