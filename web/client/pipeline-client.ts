/** Submits tasks and follows many jobs over one socket; heals what the network breaks. No dependency, no DOM. */
import type { PushMessage, SubmitTaskResponse } from '../../shared-types/index.ts';
import type { ClientCounters, Connection, PipelineClient, PipelineClientOptions } from './client-contract.ts';
import { ClientError } from './client-error.ts';
import {
  changeState,
  createFollowedJob,
  isActive,
  wantsOutputs,
  type FollowedJob,
  type JobListener,
} from './followed-job.ts';
import { isFinished, type JobState } from './job-model.ts';
import { applyTask, leavesGap, reduceJob } from './job-state.ts';
import { readPush } from './read-push.ts';
import type { TaskView } from './read-task.ts';
import { createReconnectingSocket, type SocketState } from './reconnecting-socket.ts';
import { createTaskApi, type TaskSubmission } from './task-api.ts';
import { DEFAULT_TIMING, type ClientTiming } from './timing.ts';

const withTicket = (url: string, ticket: string | undefined): string => {
  if (ticket === undefined) return url;
  const target = new URL(url);
  target.searchParams.set('ticket', ticket);
  return target.href;
};

class Client implements PipelineClient {
  readonly #timing: ClientTiming;
  readonly #now: () => number;
  readonly #jobs = new Map<string, FollowedJob>();
  readonly #connectionListeners = new Set<(connection: Connection) => void>();
  readonly #counters = { ignored: 0, strangers: 0, dropped: 0, gaps: 0, refusals: 0 };
  readonly #closing = new AbortController();
  readonly #api;
  readonly #socket;
  /** Jobs that this very connection was asked for: the server counts them, finished ones too. */
  readonly #asked = new Set<string>();
  #connection: Connection = 'idle';
  #downSince: number;
  #idleSince: number;
  #ticker: ReturnType<typeof setInterval> | undefined;

  constructor(options: PipelineClientOptions) {
    const { apiUrl, token, fetch: send } = options;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#now = options.now ?? (() => performance.now());
    this.#downSince = this.#idleSince = this.#now();
    const { requestTimeoutMs } = this.#timing;
    this.#api = createTaskApi({ apiUrl, token, fetch: send, requestTimeoutMs, signal: this.#closing.signal });
    const ticket = options.ticket ?? (token === undefined ? undefined : () => this.#api.createTicket());
    this.#socket = createReconnectingSocket({
      url: async () => withTicket(options.webSocketUrl, await ticket?.()),
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      timing: this.#timing,
      random: options.random ?? Math.random,
      onState: (state) => this.#onSocketState(state),
      onMessage: (data) => this.#onMessage(data),
    });
  }

  submitTask(submission: TaskSubmission): Promise<SubmitTaskResponse> {
    return this.#api.submitTask(submission);
  }

  getTask(id: string): Promise<TaskView> {
    return this.#api.getTask(id);
  }

  getState(jobId: string): JobState | undefined {
    return this.#jobs.get(jobId)?.state;
  }

  get connection(): Connection {
    return this.#connection;
  }

  get counters(): ClientCounters {
    return { ...this.#counters };
  }

  onConnection(listener: (connection: Connection) => void): () => void {
    this.#connectionListeners.add(listener);
    return () => this.#connectionListeners.delete(listener);
  }

  follow(jobId: string, callback: JobListener): () => void {
    if (this.#closing.signal.aborted) {
      throw new ClientError('closed', 'The client was closed', { retryable: false });
    }
    const job = this.#jobs.get(jobId) ?? createFollowedJob(jobId, this.#now());
    const known = this.#jobs.has(jobId);
    this.#jobs.set(jobId, job);
    // An own function for each call, so that the same callback may follow twice.
    const listener: JobListener = (state) => callback(state);
    job.listeners.add(listener);
    job.leftAt = null;
    this.#wake();
    if (!known || !this.#asked.has(jobId)) this.#ask(job);
    listener(job.state);
    return () => {
      job.listeners.delete(listener);
      if (job.listeners.size === 0) job.leftAt = this.#now();
    };
  }

  reconnectNow(): void {
    this.#socket.retryNow();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    clearInterval(this.#ticker);
    this.#socket.stop();
    for (const job of this.#jobs.values()) job.listeners.clear();
    this.#jobs.clear();
    this.#setConnection('closed');
    this.#connectionListeners.clear();
  }

  #wake(): void {
    this.#ticker ??= setInterval(() => this.#tick(), this.#timing.tickMs);
    if (![...this.#jobs.values()].some(isActive)) return;
    if (this.#socket.state === 'idle') this.#downSince = this.#now();
    this.#socket.start();
  }

  #setConnection(next: Connection): void {
    if (next === this.#connection) return;
    this.#connection = next;
    for (const listener of this.#connectionListeners) listener(next);
  }

  #onSocketState(state: SocketState): void {
    if (this.#closing.signal.aborted) return;
    if (state === 'open') {
      this.#asked.clear();
      for (const job of this.#jobs.values()) if (isActive(job)) this.#ask(job);
    } else if (this.#connection === 'open') {
      this.#downSince = this.#now();
      for (const job of this.#jobs.values()) job.askedAt = null;
    }
    // While the API stands in, each failed try is not news.
    if (this.#connection !== 'polling' || state === 'open' || state === 'idle') this.#setConnection(state);
  }

  /** Asks for the job's snapshot, and for its pushes from then on. */
  #ask(job: FollowedJob): void {
    const { jobId } = job.state;
    if (!this.#socket.send(JSON.stringify({ action: 'subscribe', jobId }))) return;
    this.#asked.add(jobId);
    job.askedAt = this.#now();
    job.refused = false;
  }

  #onMessage(data: unknown): void {
    const push = readPush(data);
    if (push === undefined) {
      this.#counters.ignored += 1;
      return;
    }
    if (push.type === 'pong') return;
    if (push.type === 'error') this.#onRefusal(push);
    const job = push.jobId === undefined ? undefined : this.#jobs.get(push.jobId);
    if (job !== undefined) this.#onPush(job, push);
    else if (push.type !== 'error') this.#counters.strangers += 1;
  }

  #onPush(job: FollowedJob, push: PushMessage): void {
    job.heardAt = this.#now();
    if (push.type === 'job_snapshot' || push.type === 'error') job.askedAt = null;
    const before = job.state;
    const after = reduceJob(before, push);
    if (after === before && push.type !== 'error' && push.type !== 'job_snapshot')
      this.#counters.dropped += 1;
    if (!isFinished(before) && leavesGap(before, push)) {
      this.#counters.gaps += 1;
      if (job.askedAt === null && !isFinished(after)) this.#ask(job);
    }
    changeState(job, after);
    if (wantsOutputs(job)) this.#poll(job);
  }

  #onRefusal(push: Extract<PushMessage, { type: 'error' }>): void {
    this.#counters.refusals += 1;
    const job = push.jobId === undefined ? undefined : this.#jobs.get(push.jobId);
    if (push.code === 'tooManySubscriptions') {
      // Finished jobs still count on that connection; a new one is only asked for what is still running.
      const active = [...this.#jobs.values()].filter(isActive).length;
      if (this.#asked.size > active) return this.#socket.restart();
    }
    if (push.code === 'notFound') return;
    // Where the server names no job, it may be any of those it was just asked for.
    const meant = job === undefined ? [...this.#jobs.values()].filter((one) => one.askedAt !== null) : [job];
    for (const one of meant) this.#refuse(one);
  }

  /** The task API stands in for a while, then the socket is asked again. */
  #refuse(job: FollowedJob): void {
    job.refused = true;
    job.askedAt = null;
    job.heardAt = this.#now();
  }

  #tick(): void {
    const now = this.#now();
    for (const [jobId, job] of this.#jobs) {
      if (job.leftAt !== null && now - job.leftAt >= this.#timing.forgetAfterMs) this.#jobs.delete(jobId);
      else if (wantsOutputs(job)) this.#poll(job);
      else if (isActive(job)) this.#lookAfter(job, now);
    }
    if ([...this.#jobs.values()].some(isActive)) this.#idleSince = now;
    else if (now - this.#idleSince >= this.#timing.idleCloseMs) this.#socket.stop();
    if (this.#jobs.size > 0 || this.#socket.state !== 'idle') return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #lookAfter(job: FollowedJob, now: number): void {
    const { answerTimeoutMs, staleAfterMs, pollAfterMs } = this.#timing;
    if (this.#socket.state === 'open') {
      const silentMs = now - job.heardAt;
      if (job.refused && silentMs < staleAfterMs) this.#poll(job);
      else if (job.askedAt !== null && now - Math.max(job.askedAt, job.heardAt) >= answerTimeoutMs)
        this.#socket.restart();
      else if (job.askedAt === null && silentMs >= staleAfterMs) this.#ask(job);
    } else if (now - this.#downSince >= pollAfterMs) {
      this.#setConnection('polling');
      this.#poll(job);
    }
  }

  #poll(job: FollowedJob): void {
    const now = this.#now();
    if (job.polling || now - job.polledAt < this.#timing.pollIntervalMs) return;
    job.polling = true;
    job.polledAt = now;
    this.#api
      .getTask(job.state.jobId)
      .then(
        (task) => changeState(job, applyTask(job.state, task)),
        (error: unknown) => this.#onPollError(job, error),
      )
      .finally(() => {
        job.polling = false;
      });
  }

  /** Only "no such task" says something about the job; anything else is tried again. */
  #onPollError(job: FollowedJob, error: unknown): void {
    if (!(error instanceof ClientError) || (error.code !== 'notFound' && error.code !== 'badRequest')) return;
    const { jobId } = job.state;
    changeState(
      job,
      reduceJob(job.state, { type: 'error', code: 'notFound', message: error.message, jobId }),
    );
  }
}

/** Opens nothing by itself: the socket is there while an unfinished job is followed. */
export const createPipelineClient = (options: PipelineClientOptions): PipelineClient => new Client(options);
