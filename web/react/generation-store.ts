/** One generation at a time as a store that React (or anything else) can subscribe to. No DOM, no React. */
import type { PipelineClient } from '../client/client-contract.ts';
import { isFinished, type JobState } from '../client/job-model.ts';
import type { TaskSubmission } from '../client/task-api.ts';
import {
  failedTryOf,
  IDLE,
  isBusy,
  refusedView,
  viewOf,
  type FailurePolicy,
  type GenerationView,
  type NextTry,
} from './generation-view.ts';

export type { FailurePolicy, GenerationView } from './generation-view.ts';

export interface GenerationStore {
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => GenerationView;
  /** What a server renders: nothing has begun. */
  readonly getServerSnapshot: () => GenerationView;
  /** The job's id, or undefined when the submission failed, which `error` then tells. Never rejects. */
  readonly generate: (submission: TaskSubmission) => Promise<string | undefined>;
  /** Stops what runs or waits. That it could not be stopped stands in `message`. Never rejects. */
  readonly cancel: () => Promise<void>;
  /** Queues the shown, ended job again, as a new one. As `generate` otherwise. */
  readonly retry: () => Promise<string | undefined>;
  /** Follows a job that runs already; with what was submitted, `onFailure` is asked about it, too. */
  readonly resume: (jobId: string, submission?: TaskSubmission) => void;
  /** Takes the place of the option `onFailure`. */
  readonly setOnFailure: (policy: FailurePolicy | undefined) => void;
}

export type KeyValueStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export interface GenerationStoreOptions {
  readonly client: PipelineClient;
  /** Where the running job is remembered; asked only once somebody subscribes. */
  readonly storage?: (() => KeyValueStorage | undefined) | undefined;
  readonly storageKey?: string | undefined;
  /** What to try instead when a job fails. */
  readonly onFailure?: FailurePolicy | undefined;
  /**
   * What was submitted, of a job that was taken up without it, as after a refresh of the page. Without this, or where it
   * rejects, `onFailure` is not asked about such a job.
   */
  readonly submissionOf?: ((jobId: string) => Promise<TaskSubmission>) | undefined;
}

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

/** What was submitted last, and how often. */
interface Submitted {
  readonly submission: TaskSubmission;
  readonly tries: number;
}

class Store implements GenerationStore {
  readonly #client: PipelineClient;
  #onFailure: FailurePolicy | undefined;
  readonly #submissionOf: GenerationStoreOptions['submissionOf'];
  readonly #memory;
  readonly #listeners = new Set<() => void>();
  #view = IDLE;
  #jobId: string | null = null;
  #submitted: Submitted | undefined;
  #unfollow: (() => void) | undefined;
  #offConnection: (() => void) | undefined;
  /** Only the newest submission may change what is shown. */
  #turn = 0;

  constructor(options: GenerationStoreOptions) {
    this.#client = options.client;
    this.#onFailure = options.onFailure;
    this.#submissionOf = options.submissionOf;
    this.#memory = createMemory(options);
  }

  readonly getSnapshot = (): GenerationView => this.#view;
  readonly getServerSnapshot = (): GenerationView => IDLE;

  readonly subscribe = (listener: () => void): (() => void) => {
    // An own function for each subscription, so that the same listener may come twice.
    const own = (): void => listener();
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#stop();
    };
  };

  readonly generate = (submission: TaskSubmission): Promise<string | undefined> => {
    this.#begin('Submitting');
    this.#submitted = { submission, tries: 1 };
    return this.#accept(() => this.#client.submitTask(submission));
  };

  readonly retry = async (): Promise<string | undefined> => {
    const jobId = this.#jobId;
    if (jobId === null || isBusy(this.#view.status)) return undefined;
    this.#begin('Queueing it again');
    const next = await this.#accept(() => this.#client.retryTask(jobId));
    if (next !== undefined) void this.#learn(next);
    return next;
  };

  readonly resume = (jobId: string, submission?: TaskSubmission): void => {
    this.#submitted = submission && { submission, tries: 1 };
    this.#turn += 1;
    this.#show({ ...IDLE, status: 'resuming', connection: this.#client.connection });
    this.#adopt(jobId);
    if (submission === undefined) void this.#learn(jobId);
  };

  readonly setOnFailure = (policy: FailurePolicy | undefined): void => {
    this.#onFailure = policy;
  };

  readonly cancel = async (): Promise<void> => {
    if (!isBusy(this.#view.status) || this.#view.cancelling) return;
    this.#show({ ...this.#view, cancelling: true });
    // Before there is an id, `#accept` cancels once there is.
    if (this.#jobId !== null) await this.#cancelJob(this.#jobId);
  };

  /** What was submitted is asked for at once: by the time that the job fails, it is there. */
  async #learn(jobId: string): Promise<void> {
    if (this.#onFailure === undefined) return;
    const submission = await this.#submissionOf?.(jobId).catch(() => undefined);
    if (submission === undefined || jobId !== this.#jobId) return;
    this.#submitted ??= { submission, tries: 1 };
    const next = this.#view.status === 'failed' ? this.#nextTry(this.#view) : undefined;
    if (next !== undefined) this.#tryNext(this.#view, next);
  }

  #show(next: GenerationView): void {
    this.#view = next;
    for (const listener of this.#listeners) listener();
  }

  #start(): void {
    this.#view = { ...this.#view, connection: this.#client.connection };
    this.#offConnection = this.#client.onConnection((connection) =>
      this.#show({ ...this.#view, connection }),
    );
    const remembered =
      this.#jobId === null && this.#view.status === 'idle' ? (this.#memory.read() ?? '') : '';
    if (remembered === '') this.#attach();
    else this.resume(remembered);
  }

  #stop(): void {
    this.#offConnection?.();
    this.#unfollow?.();
    this.#offConnection = this.#unfollow = undefined;
  }

  #leaveJob(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#jobId = null;
  }

  #attach(): void {
    this.#unfollow?.();
    this.#unfollow =
      this.#jobId === null ? undefined : this.#client.follow(this.#jobId, (job) => this.#onJob(job));
  }

  #begin(message: string): void {
    this.#leaveJob();
    this.#submitted = undefined;
    this.#show({ ...IDLE, status: 'submitting', message, connection: this.#client.connection });
  }

  #adopt(jobId: string): void {
    this.#jobId = jobId;
    this.#memory.write(jobId);
    this.#show({ ...this.#view, jobId });
    if (this.#listeners.size > 0) this.#attach();
  }

  async #accept(submit: () => Promise<{ readonly id: string }>): Promise<string | undefined> {
    this.#turn += 1;
    const own = this.#turn;
    try {
      const { id } = await submit();
      if (own !== this.#turn) return id;
      const { cancelling, retries, connection } = this.#view;
      this.#show({ ...IDLE, status: 'pending', cancelling, retries, connection });
      this.#adopt(id);
      if (cancelling) await this.#cancelJob(id);
      return id;
    } catch (error) {
      if (own === this.#turn) this.#show(refusedView(error, this.#view));
      return undefined;
    }
  }

  async #cancelJob(jobId: string): Promise<void> {
    try {
      await this.#client.cancelTask(jobId);
    } catch (error) {
      if (jobId !== this.#jobId || !isBusy(this.#view.status)) return;
      const why = error instanceof Error ? error.message : String(error);
      this.#show({ ...this.#view, cancelling: false, message: `It could not be cancelled: ${why}` });
    }
  }

  #onJob(job: JobState): void {
    if (job.jobId !== this.#jobId) return;
    const before = this.#view;
    if (isFinished(job)) this.#memory.clear();
    const view = viewOf(job, before);
    // Of an attempt that is tried again, this is the last moment to say where it stood.
    const given = view.status === 'retrying' && before.status !== 'retrying' && before.status !== 'resuming';
    const retries = given ? [...before.retries, failedTryOf(before, job.message)] : before.retries;
    let next: NextTry | undefined;
    try {
      const wanted = view.status === 'failed' && before.status !== 'failed' && !before.cancelling;
      next = wanted ? this.#nextTry(view) : undefined;
    } finally {
      // Also where the policy throws: that it failed is shown all the same.
      if (next === undefined) this.#show({ ...view, retries });
    }
    if (next === undefined) return;
    this.#tryNext({ ...view, retries, currentNode: before.currentNode, progress: before.progress }, next);
  }

  #nextTry({ error }: GenerationView): NextTry | undefined {
    if (this.#submitted === undefined || error === null) return undefined;
    const { submission, tries } = this.#submitted;
    return this.#onFailure?.(error, tries, submission);
  }

  /** The failure is shown as one of several tries, and the next one begins. */
  #tryNext(failed: GenerationView, { change = 'other parameters', note, ...submission }: NextTry): void {
    const message = failed.error?.message ?? failed.message;
    const told = note ?? `${message} Trying again with ${change}`;
    const retries = [...failed.retries, failedTryOf(failed, message, { change, note: told })];
    this.#submitted = { submission, tries: (this.#submitted?.tries ?? 0) + 1 };
    this.#leaveJob();
    this.#show({ ...IDLE, status: 'retrying', message: told, retries, connection: failed.connection });
    void this.#accept(() => this.#client.submitTask(submission));
  }
}

export const createGenerationStore = (options: GenerationStoreOptions): GenerationStore => new Store(options);
