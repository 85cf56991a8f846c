/** A worker: one ComfyUI with its monitor, as the registry knows it. */

/**
 * `idle` and `busy` take or do work; `draining` finishes and takes no more; `stopped` said goodbye; `lost` fell
 * silent; `failed` answered, but could not be used. `starting` is an instance whose monitor has not been heard yet.
 */
export type WorkerStatus = 'starting' | 'idle' | 'busy' | 'draining' | 'failed' | 'lost' | 'stopped';

/** What the registry stores. `idle` and `busy` are the two faces of `ready`: they follow from what the worker holds. */
export type WorkerCondition = 'ready' | 'draining' | 'failed' | 'lost' | 'stopped';

/** One attempt that was given to a worker: it runs there, or waits in its ComfyUI's queue. */
export interface Assignment {
  readonly jobId: string;
  readonly attempt: number;
  readonly userId: string;
  /** ISO 8601. */
  readonly assignedAt: string;
}

export interface Worker {
  readonly workerId: string;
  readonly clientId: string;
  /** Base URL of its ComfyUI, checked against the address policy when it was registered. */
  readonly endpoint: string;
  readonly condition: WorkerCondition;
  /** Oldest first: ComfyUI runs the first and keeps the others queued. */
  readonly held: readonly Assignment[];
  /** When it last was given work; null before the first time. */
  readonly lastAssignedAt: string | null;
  /** Monitor boot and the last event of it that was applied. */
  readonly bootId: string;
  readonly monitorSequence: number;
  readonly comfyuiVersion: string | null;
  readonly registeredAt: string;
  /** ISO 8601, by our clock: when its monitor last told of a new connection to its ComfyUI; absent in old rows. */
  readonly connectedAt?: string | undefined;
  readonly lastSeenAt: string;
  /** Not chosen again before this (after a refused connection); null when usable. */
  readonly avoidUntil: string | null;
  /** Its ComfyUI ignored an interrupt: it takes no work until its monitor boots anew. */
  readonly quarantined: boolean;
  /** As its monitor announced them, sorted. */
  readonly tags: readonly string[];
  /** What its ComfyUI can run: a key of the catalogue store; null while unknown, which means anything. */
  readonly catalogueHash: string | null;
  /** ISO 8601, by our clock: since when its monitor says that its ComfyUI does not answer; null while it does. */
  readonly failedSince?: string | null | undefined;
  /** Workers of one kind take the same time for the same work (`workerKind`); absent before it registered with one. */
  readonly kind?: string | undefined;
  /** `modelsKey` of the last job that it was given: one with the same finds its models loaded. */
  readonly lastModels?: string | undefined;
}

export const statusOf = ({ condition, held, quarantined }: Worker): WorkerStatus => {
  if (condition !== 'ready') return condition;
  if (quarantined) return 'failed';
  return held.length === 0 ? 'idle' : 'busy';
};

/** What a monitor's own event says of its worker. */
export interface WorkerReport {
  readonly workerId: string;
  readonly clientId: string;
  readonly bootId: string;
  readonly sequence: number;
  readonly timestamp: string;
}
