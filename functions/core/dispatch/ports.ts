/** What dispatching needs from outside. */
import type {
  CatalogueStore,
  ComfyUi,
  Ids,
  JobIndex,
  RemoteFiles,
  ShareStore,
  UploadStore,
  WorkerStore,
  WorkflowStore,
} from '../ports.ts';
import type { ProfileStore } from '../estimate/ports.ts';
import type { SettleDependencies } from '../settle-failure.ts';
import type { Chokes } from './chokes.ts';
import type { DispatchTurns } from './turns.ts';

export interface DispatchLimits {
  /** Prompts that wait in a worker's ComfyUI behind the one that runs, 0–8. */
  readonly prefetchDepth: number;
  /** Attempts of one user that workers may hold at once, 1–1000. */
  readonly maxRunningPerUser: number;
  /** Without a heartbeat for so long (ms) a worker is lost: three of them, by default. */
  readonly workerLeaseMs: number;
}

export interface DispatchDependencies extends SettleDependencies {
  readonly index: JobIndex;
  readonly turns: DispatchTurns;
  readonly shares: ShareStore;
  readonly workers: WorkerStore;
  readonly workflows: WorkflowStore;
  readonly uploads: UploadStore;
  readonly remoteFiles: RemoteFiles;
  readonly catalogues: CatalogueStore;
  readonly comfyUi: ComfyUi;
  /** The same, and gives up after three seconds: for workers that are likely gone; `comfyUi` by default. */
  readonly hastyComfyUi?: Pick<ComfyUi, 'endPrompt' | 'findPrompt'>;
  /** What workflows took before; without it prompts go out without expectations. */
  readonly profiles?: ProfileStore;
  readonly ids: Ids;
  readonly limits: DispatchLimits;
  /** Kept from pass to pass by whoever wires the dispatcher. */
  readonly chokes: Chokes;
}
