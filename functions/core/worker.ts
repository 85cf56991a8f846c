/** A worker: one ComfyUI with its monitor, as the registry knows it. */

/**
 * `idle` and `busy` take or do work; `draining` finishes and takes no more; `stopped` said goodbye; `lost` fell
 * silent; `failed` answered, but could not be used.
 */
export type WorkerStatus = 'starting' | 'idle' | 'busy' | 'draining' | 'failed' | 'lost' | 'stopped';

export interface Worker {
  readonly workerId: string;
  readonly clientId: string;
  /** Base URL of its ComfyUI, checked against the address policy when it was registered. */
  readonly endpoint: string;
  readonly status: WorkerStatus;
  readonly currentJobId: string | null;
  readonly currentAttempt: number | null;
  readonly assignedAt: string | null;
  /** Monitor boot and the last event of it that was applied. */
  readonly bootId: string;
  readonly monitorSequence: number;
  readonly comfyuiVersion: string | null;
  readonly registeredAt: string;
  readonly lastSeenAt: string;
  /** Not chosen again before this (after a refused connection); null when usable. */
  readonly avoidUntil: string | null;
}

/** What a monitor's own event says of its worker. */
export interface WorkerReport {
  readonly workerId: string;
  readonly clientId: string;
  readonly bootId: string;
  readonly sequence: number;
  readonly timestamp: string;
}
