/** All jobs of this user that the page knows: those of the task API's list, live while they are not finished. */
import type { JobStatus } from '../../../shared-types/index.ts';
import type { PipelineClient } from '../../client/client-contract.ts';
import { isFinished, type JobState } from '../../client/job-model.ts';
import type { PipelineApi } from '../api/pipeline-api.ts';
import { messageOf } from '../api/pipeline-error.ts';
import type { QueueState, TaskRow } from '../api/read-answers.ts';

export interface JobEntry {
  readonly id: string;
  readonly workflowId: string;
  readonly status: JobStatus;
  /** 0–100. */
  readonly percentage: number;
  readonly createdAt: string | null;
  readonly error: string;
  /** The last known live state; undefined for what was over before the page came. */
  readonly live: JobState | undefined;
  readonly cancelling: boolean;
}

export interface JobsView {
  /** Newest first. */
  readonly entries: readonly JobEntry[];
  readonly phase: 'loading' | 'ready' | 'failed';
  readonly error: string;
  readonly hasMore: boolean;
  readonly queue: QueueState | undefined;
}

export interface JobsStore {
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => JobsView;
  /** Takes up a job that was just submitted. */
  add(id: string, workflowId: string): void;
  /** Asks for the list anew. Never rejects: `phase` and `error` tell. */
  refresh(): Promise<void>;
  more(): Promise<void>;
  /** Rejects with the API's error. */
  cancel(id: string): Promise<void>;
  /** The id of the new job. Rejects with the API's error. */
  retry(id: string): Promise<string>;
  changeQueue(action: 'pause' | 'resume'): Promise<void>;
}

/** A connection may follow fifty; some are left for the job's own page. */
const MAX_FOLLOWED = 40;
const PAGE_SIZE = 20;
const REFRESH_MS = 10_000;

export interface JobsStoreOptions {
  readonly client: Pick<PipelineClient, 'follow'>;
  readonly api: Pick<PipelineApi, 'listTasks' | 'cancel' | 'retry' | 'queue' | 'changeQueue'>;
  /** Wall clock, milliseconds. */
  readonly now?: () => number;
  /** Milliseconds between two looks at the list while somebody watches. */
  readonly refreshMs?: number;
}

interface Known {
  row: TaskRow;
  live: JobState | undefined;
  cancelling: boolean;
  unfollow: (() => void) | undefined;
}

const ENDED: readonly JobStatus[] = ['completed', 'failed', 'cancelled'];

const liveStatus = (live: JobState | undefined): JobStatus | undefined =>
  live === undefined || live.status === 'unknown' || live.status === 'notFound' ? undefined : live.status;

const statusOf = ({ row, live }: Known): JobStatus =>
  ENDED.includes(row.status) ? row.status : (liveStatus(live) ?? row.status);

const entryOf = (known: Known): JobEntry => {
  const { row, live, cancelling } = known;
  const status = statusOf(known);
  return {
    id: row.id,
    workflowId: row.workflowId,
    status,
    percentage: status === 'completed' ? 100 : (liveStatus(live) && live?.percentage) || row.progress,
    createdAt: row.createdAt,
    error: live?.failure?.message ?? row.error,
    live,
    cancelling: (cancelling || row.cancelRequested) && !ENDED.includes(status),
  };
};

const freshRow = (id: string, workflowId: string, createdAt: string): TaskRow => ({
  id,
  workflowId,
  status: 'pending',
  priority: 5,
  workerId: '',
  createdAt,
  startedAt: null,
  completedAt: null,
  error: '',
  attempt: 0,
  progress: 0,
  cancelRequested: false,
  retryOf: null,
});

class Jobs implements JobsStore {
  readonly #options: JobsStoreOptions;
  readonly #jobs = new Map<string, Known>();
  readonly #listeners = new Set<() => void>();
  #phase: JobsView['phase'] = 'loading';
  #error = '';
  #queue: QueueState | undefined;
  #cursor: string | null = null;
  /** Further pages were asked for: the first page no longer says where the list goes on. */
  #paged = false;
  #view: JobsView | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: JobsStoreOptions) {
    this.#options = options;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const own = (): void => listener();
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#stop();
    };
  };

  readonly getSnapshot = (): JobsView => {
    this.#view ??= {
      entries: this.#sorted().map(entryOf),
      phase: this.#phase,
      error: this.#error,
      hasMore: this.#cursor !== null,
      queue: this.#queue,
    };
    return this.#view;
  };

  add(id: string, workflowId: string): void {
    const now = this.#options.now ?? Date.now;
    this.#take(freshRow(id, workflowId, new Date(now()).toISOString()));
    this.#changed();
  }

  async refresh(): Promise<void> {
    const { api } = this.#options;
    try {
      const [page, queue] = await Promise.all([
        api.listTasks({ limit: PAGE_SIZE }),
        api.queue().catch(() => undefined),
      ]);
      for (const row of page.tasks) this.#take(row);
      if (!this.#paged) this.#cursor = page.nextCursor;
      this.#queue = queue;
      [this.#phase, this.#error] = ['ready', ''];
    } catch (error) {
      [this.#phase, this.#error] = ['failed', messageOf(error)];
    }
    this.#changed();
  }

  async more(): Promise<void> {
    if (this.#cursor === null) return;
    try {
      const page = await this.#options.api.listTasks({ limit: PAGE_SIZE, cursor: this.#cursor });
      for (const row of page.tasks) this.#take(row);
      [this.#paged, this.#cursor, this.#error] = [true, page.nextCursor, ''];
    } catch (error) {
      this.#error = messageOf(error);
    }
    this.#changed();
  }

  async cancel(id: string): Promise<void> {
    this.#mark(id, true);
    try {
      await this.#options.api.cancel(id);
    } catch (error) {
      this.#mark(id, false);
      throw error;
    }
    await this.refresh();
  }

  async retry(id: string): Promise<string> {
    const next = await this.#options.api.retry(id);
    this.add(next, this.#jobs.get(id)?.row.workflowId ?? '');
    return next;
  }

  async changeQueue(action: 'pause' | 'resume'): Promise<void> {
    this.#queue = await this.#options.api.changeQueue(action);
    this.#changed();
  }

  #mark(id: string, cancelling: boolean): void {
    const known = this.#jobs.get(id);
    if (known === undefined) return;
    known.cancelling = cancelling;
    this.#changed();
  }

  #start(): void {
    void this.refresh();
    this.#timer = setInterval(() => {
      if (globalThis.document?.visibilityState !== 'hidden') void this.refresh();
    }, this.#options.refreshMs ?? REFRESH_MS);
  }

  #stop(): void {
    clearInterval(this.#timer);
    for (const known of this.#jobs.values()) this.#unfollow(known);
  }

  #take(row: TaskRow): void {
    const known = this.#jobs.get(row.id);
    // A list that was asked for before the end must not take the end back.
    if (known === undefined)
      this.#jobs.set(row.id, { row, live: undefined, cancelling: false, unfollow: undefined });
    else if (!ENDED.includes(known.row.status)) known.row = row;
  }

  #sorted(): Known[] {
    const at = ({ row }: Known): number => Date.parse(row.createdAt ?? '') || 0;
    return [...this.#jobs.values()].sort((a, b) => at(b) - at(a));
  }

  #changed(): void {
    this.#followNext();
    this.#view = undefined;
    for (const listener of this.#listeners) listener();
  }

  /** The oldest unfinished ones: they run, or run next. */
  #followNext(): void {
    if (this.#listeners.size === 0) return;
    const open = this.#sorted().filter((known) => !ENDED.includes(statusOf(known)));
    const wanted = new Set(open.slice(-MAX_FOLLOWED));
    for (const known of this.#jobs.values()) if (!wanted.has(known)) this.#unfollow(known);
    for (const known of wanted) known.unfollow ??= this.#follow(known);
  }

  #follow(known: Known): () => void {
    let first = true;
    const unfollow = this.#options.client.follow(known.row.id, (live) => {
      known.live = live;
      this.#view = undefined;
      // The first call comes from within `follow` itself, in the middle of a change.
      if (first) return;
      if (isFinished(live)) this.#changed();
      else for (const listener of this.#listeners) listener();
    });
    first = false;
    return unfollow;
  }

  #unfollow(known: Known): void {
    known.unfollow?.();
    known.unfollow = undefined;
  }
}

/** Nothing is asked for before somebody subscribes. */
export const createJobsStore = (options: JobsStoreOptions): JobsStore => new Jobs(options);
