/** What a run needs from the pod around it. */
import type { ExecutionCache } from './execution-cache.ts';
import type { FailurePlan, PlannedFailure } from './failure-plan.ts';
import type { Catalogue } from './node-catalogue.ts';
import type { Folders } from './output-files.ts';
import type { SocketHub } from './socket-hub.ts';
import type { StepHold } from './step-hold.ts';

export interface RunSettings {
  readonly stepDelayMs: number;
  readonly modelLoadDelayMs: number;
  readonly previews: boolean;
  readonly previewIntervalMs: number;
}

export interface RunEnvironment {
  readonly catalogue: Catalogue;
  readonly cache: ExecutionCache;
  readonly hub: SocketHub;
  readonly folders: Folders;
  readonly settings: RunSettings;
  readonly tempPrefix: string;
  readonly failures: FailurePlan;
  readonly hold: StepHold;
  /** Set by POST /interrupt. */
  readonly interrupt: { requested: boolean };
  /** Fires when the pod goes away or its worker dies. */
  readonly signal: AbortSignal;
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Told which node a person would see running. */
  onNode(displayId: string): void;
  /** Carries out the failures that concern the pod and not the node. */
  strike(failure: PlannedFailure): void;
}
