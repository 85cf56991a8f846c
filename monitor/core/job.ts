/** One attempt of one job as this ComfyUI runs it. Node ids are keys of Maps only: they may read `__proto__`. */
import type { ExecutionErrorData, OutputFile, QueuedPrompt } from '../../shared-types/index.ts';
import type { Expectations } from './expectations.ts';

/** How the prompt ended, as the socket told it; the history decides whether that holds. */
export type Claim =
  | { readonly kind: 'success' }
  | { readonly kind: 'error'; readonly error: ExecutionErrorData }
  | { readonly kind: 'interrupted' }
  /** `executing` with `node: null`: over, without a word on how. */
  | { readonly kind: 'end' };

export type JobPhase =
  | { readonly kind: 'pending' }
  | { readonly kind: 'running' }
  | { readonly kind: 'ending'; readonly claim: Claim; readonly since: number }
  | { readonly kind: 'closed'; readonly at: number };

/** A step that is held up says nothing of how long steps take: what it took too long is kept apart. */
export interface StepRhythm {
  /** Milliseconds from one step to the next: a moving mean. */
  readonly stepMs: number;
  /** Steps heard of. */
  readonly count: number;
  /** Milliseconds that steps took beyond what is believed of a step. */
  readonly heldMs: number;
}

export interface NodeRun {
  readonly nodeId: string;
  readonly displayNodeId: string;
  readonly parentNodeId?: string;
  readonly realNodeId?: string;
  readonly state: 'running' | 'finished' | 'cached';
  /** Steps done and in all: finite, 0 ≤ value ≤ max, max ≥ 1. */
  readonly value: number;
  readonly max: number;
  /** Milliseconds since the epoch; absent when the start was not seen. */
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly changedAt: number;
  /** Where its steps were first seen to count from; with `value` and `changedAt` it gives their rate. */
  readonly stepsFrom?: { readonly value: number; readonly at: number };
  /** How its steps come. */
  readonly rhythm?: StepRhythm;
  /** Its steps fell back: there are several passes, and their rate says nothing of the whole. */
  readonly restarted?: true;
}

/** What of the submitted workflow is kept: names of classes and titles, never inputs. */
export interface WorkflowOutline {
  readonly nodes: ReadonlyMap<string, { readonly classType: string; readonly title: string | undefined }>;
  /** Nodes that the requested outputs need; all of them when the outputs are unknown. */
  readonly needed: ReadonlySet<string>;
}

export interface JobIdentity {
  readonly jobId: string;
  readonly attempt: number;
}

/** When each kind of event was last published, for the rate limit. */
export interface Lanes {
  executing: number;
  executed: number;
  images: number;
  progress: number;
}

export interface Job {
  readonly promptId: string;
  /** `unknown` until /queue or /history shows whose prompt it is: broadcasts reach us too. */
  ownership: 'ours' | 'unknown';
  identity: JobIdentity | undefined;
  phase: JobPhase;
  workflow: WorkflowOutline | undefined;
  /** What the dispatcher expects it to take, where it knows anything. */
  expectations: Expectations | undefined;
  readonly openedAt: number;
  startedAt: number | undefined;
  /** Last time that a frame or /queue showed it alive. */
  aliveAt: number;
  /** Last frame, for the stall watchdog. */
  frameAt: number;
  sequence: number;
  jobStartedSent: boolean;
  cachedSeen: boolean;
  nodes: Map<string, NodeRun>;
  pendingStarted: string[];
  pendingFinished: string[];
  pendingImages: OutputFile[];
  /** Nodes whose files were announced. */
  announced: Set<string>;
  /** Files and texts seen in frames, for the case that the history never answers. */
  outputsSeen: number;
  blockedNodes: Set<string>;
  overall: number;
  /** How many nodes run now. */
  running: number;
  /** Last start or end of a node's run; undefined before any node ran. */
  ranAt: number | undefined;
  progressDirty: boolean;
  /** Milliseconds after which progress is told although no frame came; Infinity where nothing is expected. */
  quietMs: number;
  lanes: Lanes;
  /** Where /queue last saw it. */
  queued: 'running' | 'pending' | 'absent' | undefined;
  absence: { readonly since: number; readonly polls: number } | undefined;
  historyDueAt: number | undefined;
  historyTries: number;
}

export const openJob = (promptId: string, now: number, ownership: Job['ownership']): Job => ({
  promptId,
  ownership,
  identity: undefined,
  phase: { kind: 'pending' },
  workflow: undefined,
  expectations: undefined,
  openedAt: now,
  startedAt: undefined,
  aliveAt: now,
  frameAt: now,
  sequence: 0,
  jobStartedSent: false,
  cachedSeen: false,
  nodes: new Map(),
  pendingStarted: [],
  pendingFinished: [],
  pendingImages: [],
  announced: new Set(),
  outputsSeen: 0,
  blockedNodes: new Set(),
  overall: 0,
  running: 0,
  ranAt: undefined,
  progressDirty: false,
  quietMs: Infinity,
  lanes: { executing: -Infinity, executed: -Infinity, images: -Infinity, progress: -Infinity },
  queued: undefined,
  absence: undefined,
  historyDueAt: undefined,
  historyTries: 0,
});

/** A private copy to change during one turn of the reducer; the previous state stays as it was. */
export const copyJob = (job: Job): Job => ({
  ...job,
  nodes: new Map(job.nodes),
  pendingStarted: [...job.pendingStarted],
  pendingFinished: [...job.pendingFinished],
  pendingImages: [...job.pendingImages],
  announced: new Set(job.announced),
  blockedNodes: new Set(job.blockedNodes),
  lanes: { ...job.lanes },
});

export const isOpen = (job: Job): boolean => job.phase.kind !== 'closed';

/** Ends the job and lets go of all that its terminal event no longer needs. */
export const closePhase = (job: Job, now: number): void => {
  job.phase = { kind: 'closed', at: now };
  job.nodes = new Map();
  job.pendingStarted = [];
  job.pendingFinished = [];
  job.pendingImages = [];
  job.announced = new Set();
  job.blockedNodes = new Set();
  job.workflow = undefined;
  job.expectations = undefined;
  job.historyDueAt = undefined;
  job.progressDirty = false;
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A link is `[nodeId, outputIndex]`. */
const linksOf = (node: unknown): string[] => {
  if (!isRecord(node) || !isRecord(node['inputs'])) return [];
  return Object.values(node['inputs']).flatMap((input) =>
    Array.isArray(input) && input.length === 2 && typeof input[0] === 'string' ? [input[0]] : [],
  );
};

const neededBy = (workflow: ReadonlyMap<string, unknown>, outputs: readonly string[]): Set<string> => {
  const needed = new Set<string>();
  const open = outputs.filter((id) => workflow.has(id));
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (needed.has(id)) continue;
    needed.add(id);
    open.push(...linksOf(workflow.get(id)).filter((link) => workflow.has(link) && !needed.has(link)));
  }
  return needed;
};

const titleOf = (node: Record<string, unknown>): string | undefined => {
  const meta = node['_meta'];
  return isRecord(meta) && typeof meta['title'] === 'string' ? meta['title'].slice(0, 1024) : undefined;
};

/** Reads classes, titles and reachability off a workflow in API format; `maxNodes` bounds what is kept. */
export const outlineOf = (prompt: QueuedPrompt, maxNodes: number): WorkflowOutline => {
  const entries = new Map(Object.entries(prompt.workflow).slice(0, maxNodes));
  const nodes = new Map<string, { classType: string; title: string | undefined }>();
  for (const [id, node] of entries) {
    const classType = isRecord(node) && typeof node['class_type'] === 'string' ? node['class_type'] : '';
    nodes.set(id, {
      classType: classType.slice(0, 256),
      title: isRecord(node) ? titleOf(node) : undefined,
    });
  }
  const needed = neededBy(entries, prompt.outputNodeIds);
  return { nodes, needed: needed.size === 0 ? new Set(nodes.keys()) : needed };
};
