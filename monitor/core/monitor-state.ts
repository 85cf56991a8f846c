/** The whole state of a monitor as one value; `reduce` alone makes the next one. */
import type { MonitorDetailType, PipelineEvent, SystemStats } from '../../shared-types/index.ts';
import { openJob, type Job, type NodeRun } from './job.ts';

export interface MonitorSettings {
  readonly clientId: string;
  readonly workerId: string;
  /** UUID, new at each start of the monitor. */
  readonly bootId: string;
  /** Where the control plane reaches this ComfyUI. */
  readonly comfyuiUrl: string;
  readonly progressIntervalMs: number;
  readonly heartbeatIntervalSeconds: number;
  readonly tags: readonly string[];
  /** A prompt in the running queue without a frame for so long has lost its worker thread. */
  readonly stallTimeoutMs: number;
}

/** Bounds and rhythms; milliseconds where not said otherwise. */
export const LIMITS = {
  jobs: 512,
  nodesPerJob: 20_000,
  foreignPrompts: 1000,
  finishedPrompts: 5000,
  promptIdLength: 128,
  closedJobMs: 10 * 60_000,
  reconcileMs: 5000,
  idleQueueMs: 60_000,
  canaryMs: 5000,
  canaryRecheckMs: 2000,
  /** A connection that hears nothing for so long, while REST answers, is not registered. */
  greetingMs: 10_000,
  historyFirstMs: 50,
  historyMaxMs: 2000,
  historyGraceMs: 30_000,
  vanishedPolls: 3,
  vanishedMs: 15_000,
  /** How long an event may wait for the frame that completes its news. */
  settleMs: 250,
  /** Bounds of the time after which a job of known times tells its progress unasked. */
  quietLeastMs: 1000,
  quietMostMs: 15_000,
  /** Without a word of the job for so long, time alone moves nothing: ComfyUI may be gone. Two polls of /queue. */
  doubtMs: 10_000,
  queueSpacingMs: 250,
  statusQueueSpacingMs: 1000,
  silenceMs: 30_000,
  missesToDegrade: 3,
} as const;

export type Connection =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly since: number; readonly announced: boolean };

export interface Canary {
  /** `queue_remaining` of the last status frame of this connection. */
  readonly status: number | undefined;
  /** First poll since that status frame that said otherwise. */
  readonly mismatchSince: number | undefined;
  /** The socket is open and hears nothing: it must be replaced. */
  readonly deaf: boolean;
}

export interface PollClock {
  readonly queueDueAt: number;
  readonly queueAskedAt: number;
  readonly queueLengthDueAt: number;
  readonly statsDueAt: number;
  readonly objectInfoDueAt: number;
}

export interface MonitorState {
  readonly settings: MonitorSettings;
  readonly jobs: ReadonlyMap<string, Job>;
  /** Prompts of other clients, newest last. */
  readonly foreign: ReadonlySet<string>;
  /** Prompts that ended and were dropped from `jobs`: nothing may bring them back. Newest last. */
  readonly finished: ReadonlySet<string>;
  readonly connection: Connection;
  readonly canary: Canary;
  readonly clock: PollClock;
  readonly displayNames: ReadonlyMap<string, string>;
  readonly stats: SystemStats | undefined;
  readonly queueRemaining: number | null;
  /** Polls in a row that failed. */
  readonly misses: number;
  readonly refused: boolean;
  /** Last time that something showed ComfyUI to be a new process. */
  readonly restartedAt: number | undefined;
  /** Last time that prompts ended unseen while the socket was down: they finished, or the process is new. */
  readonly endedUnseenAt: number | undefined;
  /** Highest queue number seen of this process of ComfyUI. */
  readonly highestNumber: number;
  /** Prompts that the last answer of /queue listed. */
  readonly queuedBefore: ReadonlySet<string>;
  readonly monitorSequence: number;
  readonly heartbeatDueAt: number;
  readonly stopped: boolean;
}

/** What a monitor that was restarted still knows of one attempt. */
export interface ResumedJob {
  readonly promptId: string;
  readonly jobId: string;
  readonly attempt: number;
  /** Last sequence ever used. */
  readonly sequence: number;
  readonly overallPercentage: number;
  readonly started: boolean;
  readonly terminal: boolean;
  readonly executing: readonly string[];
  readonly executed: readonly string[];
}

export type MonitorEvent = PipelineEvent<MonitorDetailType>;

/** What is skipped, dropped or evicted is counted under one of these. */
export type CountName =
  | 'foreignPrompts'
  | 'framesOfClosedJobs'
  | 'framesWithoutPrompt'
  | 'framesOfInvalidPromptId'
  | 'progressOfUnknownNodes'
  | 'progressWithoutNumbers'
  | 'nodesOverCap'
  | 'jobsEvicted'
  | 'unknownPromptsDropped'
  | 'outputsSkipped'
  | 'previewFrames'
  | 'textFrames'
  | 'unknownBinaryFrames'
  | 'invalidBinaryFrames'
  | 'deafSockets'
  | 'comfyRestarts';

const resumeNodes = (resumed: ResumedJob, now: number): Map<string, NodeRun> => {
  const executed = new Set(resumed.executed);
  return new Map(
    [...new Set([...resumed.executing, ...resumed.executed])].map((nodeId) => [
      nodeId,
      {
        nodeId,
        displayNodeId: nodeId.split('.')[0] ?? nodeId,
        state: executed.has(nodeId) ? 'finished' : 'running',
        value: 0,
        max: 1,
        changedAt: now,
      },
    ]),
  );
};

const resumeJob = (resumed: ResumedJob, now: number): Job => {
  const nodes = resumed.terminal ? new Map<string, NodeRun>() : resumeNodes(resumed, now);
  const running = [...nodes.values()].filter((run) => run.state === 'running').length;
  return {
    ...openJob(resumed.promptId, now, 'ours'),
    identity: { jobId: resumed.jobId, attempt: resumed.attempt },
    phase: resumed.terminal ? { kind: 'closed', at: now } : { kind: resumed.started ? 'running' : 'pending' },
    sequence: resumed.sequence,
    overall: resumed.overallPercentage,
    jobStartedSent: resumed.started,
    nodes,
    running,
    ranAt: running > 0 ? now : undefined,
  };
};

export const initialState = (
  settings: MonitorSettings,
  now: number,
  resumed: readonly ResumedJob[] = [],
): MonitorState => ({
  settings,
  jobs: new Map(resumed.slice(-LIMITS.jobs).map((job) => [job.promptId, resumeJob(job, now)])),
  foreign: new Set(),
  finished: new Set(),
  connection: { kind: 'closed' },
  canary: { status: undefined, mismatchSince: undefined, deaf: false },
  clock: {
    queueDueAt: now,
    queueAskedAt: -Infinity,
    queueLengthDueAt: now,
    statsDueAt: Infinity,
    objectInfoDueAt: Infinity,
  },
  displayNames: new Map(),
  stats: undefined,
  queueRemaining: null,
  misses: 0,
  refused: false,
  restartedAt: undefined,
  endedUnseenAt: undefined,
  highestNumber: -1,
  queuedBefore: new Set(),
  monitorSequence: 0,
  heartbeatDueAt: now + settings.heartbeatIntervalSeconds * 1000,
  stopped: false,
});
