/** One generation at a time as a store that React (or anything else) can subscribe to. No DOM, no React. */
import type { StoredOutput } from '../../shared-types/index.ts';
import type { Connection, PipelineClient } from '../client/client-contract.ts';
import type { JobState } from '../client/job-model.ts';
import { isFinished } from '../client/job-model.ts';
import type { TaskSubmission } from '../client/task-api.ts';

export type GenerationStatus =
  | 'idle'
  | 'submitting'
  /** Taken up again, and nothing heard of it yet: its percentage is not 0 but unknown. */
  | 'resuming'
  | 'pending'
  | 'assigned'
  | 'running'
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'cancelled';

export interface GenerationError {
  readonly message: string;
  /** The node that failed, where one did. */
  readonly nodeName: string | null;
  readonly nodeType: string | null;
  readonly nodeId: string | null;
}

export interface GenerationProgress {
  /** Overall, 0–100, never falling within an attempt. */
  readonly percentage: number;
  /** Of the current node. */
  readonly step: number;
  /** 0 while no node counts steps. */
  readonly steps: number;
  readonly completedNodes: number;
  readonly cachedNodes: number;
  /** 0 while unknown. */
  readonly totalNodes: number;
}

export interface GenerationView {
  readonly status: GenerationStatus;
  readonly progress: GenerationProgress;
  /** Name of the node at work; empty when there is none. */
  readonly currentNode: string;
  /** `executing` or `finished`; empty when there is none. */
  readonly nodeState: string;
  readonly message: string;
  /** All outputs, pictures or not. */
  readonly images: readonly StoredOutput[];
  /** File names of outputs that could not be stored. */
  readonly missing: readonly string[];
  readonly error: GenerationError | null;
  readonly connection: Connection;
  readonly jobId: string | null;
}

export interface GenerationStore {
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => GenerationView;
  /** What a server renders: nothing has begun. */
  readonly getServerSnapshot: () => GenerationView;
  /** The job's id, or undefined when the submission failed, which `error` then tells. Never rejects. */
  readonly generate: (submission: TaskSubmission) => Promise<string | undefined>;
  /** Follows a job that runs already. */
  readonly resume: (jobId: string) => void;
}

export type KeyValueStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export interface GenerationStoreOptions {
  readonly client: PipelineClient;
  /** Where the running job is remembered; asked only once somebody subscribes. */
  readonly storage?: (() => KeyValueStorage | undefined) | undefined;
  readonly storageKey?: string | undefined;
}

const NO_PROGRESS: GenerationProgress = {
  percentage: 0,
  step: 0,
  steps: 0,
  completedNodes: 0,
  cachedNodes: 0,
  totalNodes: 0,
};

const IDLE: GenerationView = {
  status: 'idle',
  progress: NO_PROGRESS,
  currentNode: '',
  nodeState: '',
  message: '',
  images: [],
  missing: [],
  error: null,
  connection: 'idle',
  jobId: null,
};

const statusOf = ({ status, retry }: JobState, before: GenerationStatus): GenerationStatus => {
  if (status === 'notFound') return 'failed';
  if (status === 'unknown') return before === 'resuming' ? before : 'pending';
  return status === 'pending' && retry !== null ? 'retrying' : status;
};

/** A node that counts no steps reports 1 of 1: nothing worth showing. */
const stepsOf = (progress: JobState['progress']): Pick<GenerationProgress, 'step' | 'steps'> =>
  progress !== null && progress.nodeMaxProgress > 1
    ? { step: progress.nodeProgress, steps: progress.nodeMaxProgress }
    : { step: 0, steps: 0 };

const progressOf = ({
  percentage,
  progress,
  totalNodes,
  cachedNodes,
  status,
}: JobState): GenerationProgress => ({
  percentage,
  totalNodes,
  cachedNodes,
  ...stepsOf(status === 'running' ? progress : null),
  completedNodes: status === 'completed' ? totalNodes : (progress?.completedNodes ?? 0),
});

const messageOf = ({ message, retry }: JobState): string => {
  if (retry === null) return message;
  const wait = retry.delaySeconds === null ? '' : ` in ${Math.ceil(retry.delaySeconds)} s`;
  return `${message} Trying again${wait} (attempt ${retry.nextAttempt} of ${retry.maxRetries + 1})`.trim();
};

const viewOf = (job: JobState, connection: Connection, before: GenerationStatus): GenerationView => {
  const running = job.status === 'running';
  return {
    status: statusOf(job, before),
    progress: progressOf(job),
    currentNode: (running && job.progress?.nodeName) || '',
    nodeState: (running && job.progress?.nodeState) || '',
    message: job.status === 'unknown' ? 'Waiting for news of the job' : messageOf(job),
    images: job.outputs,
    missing: job.missingOutputs.map(({ filename }) => filename),
    error: job.failure,
    connection,
    jobId: job.jobId,
  };
};

const failedView = (error: unknown): GenerationView => {
  const message = error instanceof Error ? error.message : String(error);
  const failure = { message, nodeName: null, nodeType: null, nodeId: null };
  return { ...IDLE, status: 'failed', message: 'The task was not accepted', error: failure };
};

/** Storage may be missing, full or forbidden; then a refresh resumes nothing, and all else works. */
const createMemory = ({ storage, storageKey = 'generation.jobId' }: GenerationStoreOptions) => {
  const attempt = <T>(act: (found: KeyValueStorage) => T): T | undefined => {
    try {
      const found = storage?.();
      return found === undefined ? undefined : act(found);
    } catch {
      return undefined;
    }
  };
  return {
    read: () => attempt((found) => found.getItem(storageKey)) ?? null,
    write: (jobId: string) => attempt((found) => found.setItem(storageKey, jobId)),
    clear: () => attempt((found) => found.removeItem(storageKey)),
  };
};

export const createGenerationStore = (options: GenerationStoreOptions): GenerationStore => {
  const { client } = options;
  const memory = createMemory(options);
  const listeners = new Set<() => void>();
  let view = IDLE;
  let jobId: string | null = null;
  let unfollow: (() => void) | undefined;
  let offConnection: (() => void) | undefined;
  /** Only the newest submission may change what is shown. */
  let submissions = 0;

  const show = (next: GenerationView): void => {
    view = next;
    for (const listener of listeners) listener();
  };

  const onJob = (job: JobState): void => {
    if (job.jobId !== jobId) return;
    if (isFinished(job)) memory.clear();
    show(viewOf(job, client.connection, view.status));
  };

  const attach = (): void => {
    unfollow?.();
    unfollow = jobId === null ? undefined : client.follow(jobId, onJob);
  };

  const adopt = (next: string, status: GenerationStatus): void => {
    submissions += 1;
    jobId = next;
    memory.write(next);
    show({ ...IDLE, status, jobId, connection: client.connection });
    if (listeners.size > 0) attach();
  };

  const start = (): void => {
    view = { ...view, connection: client.connection };
    offConnection = client.onConnection((connection) => show({ ...view, connection }));
    const remembered = jobId === null && view.status === 'idle' ? memory.read() : null;
    if (remembered === null || remembered === '') attach();
    else adopt(remembered, 'resuming');
  };

  const stop = (): void => {
    offConnection?.();
    unfollow?.();
    offConnection = unfollow = undefined;
  };

  return {
    getSnapshot: () => view,
    getServerSnapshot: () => IDLE,
    resume: (next) => adopt(next, 'resuming'),
    subscribe(listener) {
      // An own function for each subscription, so that the same listener may come twice.
      const own = (): void => listener();
      listeners.add(own);
      if (listeners.size === 1) start();
      return () => {
        if (listeners.delete(own) && listeners.size === 0) stop();
      };
    },
    async generate(submission) {
      submissions += 1;
      const own = submissions;
      unfollow?.();
      unfollow = undefined;
      jobId = null;
      show({ ...IDLE, status: 'submitting', message: 'Submitting', connection: client.connection });
      try {
        const { id } = await client.submitTask(submission);
        if (own === submissions) adopt(id, 'pending');
        return id;
      } catch (error) {
        if (own === submissions) show({ ...failedView(error), connection: client.connection });
        return undefined;
      }
    },
  };
};
