/** Submits tasks and follows many jobs over one socket; heals what the network breaks. No dependency, no DOM. */
import type { PushMessage, PushOf } from '../../shared-types/index.ts';
import type { ClientCounters, Connection, PipelineClient, PipelineClientOptions } from './client-contract.ts';
import { ClientError, closedError } from './client-error.ts';
import {
  changeState,
  createFollowedJob,
  isActive,
  wantsNodes,
  wantsOutputs,
  type FollowedJob,
  type JobListener,
} from './followed-job.ts';
import { isFinished } from './job-model.ts';
import { applyTask, leavesGap, reduceJob } from './job-state.ts';
import { readPush } from './read-push.ts';
import { createReconnectingSocket, type SocketState } from './reconnecting-socket.ts';
import { createTaskApi } from './task-api.ts';
import { DEFAULT_TIMING } from './timing.ts';

const withTicket = (url: string, ticket: string | undefined): string =>
  ticket === undefined ? url : `${url}${url.includes('?') ? '&' : '?'}ticket=${encodeURIComponent(ticket)}`;

/** Opens nothing by itself: the socket is there while an unfinished job is followed. */
export const createPipelineClient = (options: PipelineClientOptions): PipelineClient => {
  const { webSocketUrl, token, previews, now = () => performance.now() } = options;
  const { WebSocket = globalThis.WebSocket, random = Math.random } = options;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const jobs = new Map<string, FollowedJob>();
  const connectionListeners = new Set<(connection: Connection) => void>();
  const counters: { -readonly [K in keyof ClientCounters]: number } = {
    ignored: 0,
    strangers: 0,
    dropped: 0,
    gaps: 0,
    refusals: 0,
  };
  const closing = new AbortController();
  const { signal } = closing;
  let connection: Connection = 'idle';
  let downSince = now();
  let idleSince = downSince;
  let heardAt = downSince;
  /** Since when the socket owes an answer, to whatever it was asked. */
  let askedAt: number | undefined;
  let ticker: ReturnType<typeof setInterval> | undefined;

  const { createTicket, ...api } = createTaskApi({ ...options, ...timing, signal });
  const ticket = options.ticket ?? (token === undefined ? undefined : createTicket);
  const url = async (): Promise<string> => withTicket(webSocketUrl, await ticket?.());
  const socket = createReconnectingSocket({ url, WebSocket, timing, random, onState, onMessage });

  const allJobs = (): FollowedJob[] => [...jobs.values()];

  const send = (action: string, fields?: object): boolean =>
    socket.send(JSON.stringify({ action, ...fields }));

  const setConnection = (next: Connection): void => {
    if (next === connection) return;
    connection = next;
    for (const listener of connectionListeners) listener(next);
  };

  /** Asks for the job's snapshot, and for its pushes from then on. */
  const ask = (job: FollowedJob): void => {
    const { jobId } = job.state;
    if (!send('subscribe', { jobId, previews: previews || undefined })) return;
    job.asked = job.waits = true;
    job.refused = false;
    job.touchedAt = now();
    askedAt ??= job.touchedAt;
  };

  function onState(state: SocketState): void {
    if (signal.aborted) return;
    if (state === 'open') {
      heardAt = now();
      askedAt = undefined;
      for (const job of allJobs()) {
        job.asked = false;
        if (isActive(job)) ask(job);
      }
    } else if (connection === 'open') downSince = now();
    // While the API stands in, each failed try is not news.
    if (connection !== 'polling' || state === 'open' || state === 'idle') setConnection(state);
  }

  /** Only "no such task" says something about the job; anything else is tried again. */
  const onPollError = (job: FollowedJob, error: unknown): void => {
    if (!(error instanceof ClientError) || !['notFound', 'badRequest'].includes(error.code)) return;
    const { message } = error;
    const { jobId } = job.state;
    changeState(job, reduceJob(job.state, { type: 'error', code: 'notFound', message, jobId }));
  };

  const poll = (job: FollowedJob): void => {
    const startedAt = now();
    if (startedAt - job.polledAt < timing.pollIntervalMs) return;
    job.polledAt = Infinity;
    api
      .getTask(job.state.jobId)
      .then(
        (task) => changeState(job, applyTask(job.state, task)),
        (error: unknown) => onPollError(job, error),
      )
      .finally(() => {
        job.polledAt = startedAt;
      });
  };

  const onRefusal = ({ code }: PushOf<'error'>, job: FollowedJob | undefined): void => {
    counters.refusals += 1;
    // Finished jobs still count on that connection; a new one is only asked for what is still running.
    const spare = code === 'tooManySubscriptions' && allJobs().some((one) => one.asked && !isActive(one));
    if (spare) return socket.restart();
    if (code === 'notFound') return;
    // Where the server names no job, it may be any of those it was just asked for.
    for (const one of job === undefined ? allJobs().filter(({ waits }) => waits) : [job]) {
      // The task API stands in for a while, then the socket is asked again.
      one.refused = true;
      one.waits = false;
      one.touchedAt = now();
    }
  };

  const onPush = (job: FollowedJob, push: Exclude<PushMessage, { type: 'pong' }>): void => {
    job.touchedAt = now();
    const before = job.state;
    const after = reduceJob(before, push);
    if (push.type === 'job_snapshot' || push.type === 'error') job.waits = false;
    else {
      if (after === before) counters.dropped += 1;
      if (!isFinished(before) && leavesGap(before, push)) {
        counters.gaps += 1;
        if (!job.waits && !isFinished(after)) ask(job);
      }
    }
    changeState(job, after);
    if (wantsOutputs(job)) poll(job);
  };

  function onMessage(data: unknown): void {
    heardAt = now();
    askedAt = undefined;
    const push = readPush(data);
    if (push?.type === 'pong') return;
    const job = push?.jobId === undefined ? undefined : jobs.get(push.jobId);
    if (push?.type === 'error') onRefusal(push, job);
    if (push === undefined) counters.ignored += 1;
    else if (job !== undefined) onPush(job, push);
    else if (push.type !== 'error') counters.strangers += 1;
  }

  const lookAfter = (job: FollowedJob, time: number): void => {
    const stale = time - job.touchedAt >= timing.staleAfterMs;
    if (socket.state === 'open') {
      if (stale) ask(job);
      else if (job.refused) poll(job);
    } else if (isActive(job) && time - downSince >= timing.pollAfterMs) {
      setConnection('polling');
      poll(job);
    }
  };

  /** An open socket that owes an answer is dead; one that was silent for long is asked for a sign of life. */
  const lookAfterSocket = (time: number): void => {
    if (socket.state !== 'open') return;
    if (time - (askedAt ?? time) >= timing.answerTimeoutMs) socket.restart();
    else if (time - heardAt >= timing.pingAfterMs && askedAt === undefined && send('ping')) askedAt = time;
  };

  const forget = (jobId: string, { asked }: FollowedJob): void => {
    jobs.delete(jobId);
    if (asked) send('unsubscribe', { jobId });
  };

  const tick = (): void => {
    const time = now();
    for (const [jobId, job] of jobs) {
      if (job.listeners.size === 0 && time - job.leftAt >= timing.forgetAfterMs) forget(jobId, job);
      else if (wantsOutputs(job)) poll(job);
      // Once or twice, for the socket closes when nothing is left to follow.
      else if (isActive(job) || wantsNodes(job)) lookAfter(job, time);
    }
    lookAfterSocket(time);
    if (allJobs().some(isActive)) idleSince = time;
    else if (time - idleSince >= timing.idleCloseMs) socket.stop();
    if (jobs.size > 0 || socket.state !== 'idle') return;
    clearInterval(ticker);
    ticker = undefined;
  };

  const wake = (): void => {
    ticker ??= setInterval(tick, timing.tickMs);
    if (!allJobs().some(isActive)) return;
    if (socket.state === 'idle') downSince = now();
    socket.start();
  };

  const leave = (job: FollowedJob, listener: JobListener): void => {
    job.listeners.delete(listener);
    job.leftAt = now();
  };

  return {
    ...api,
    get connection() {
      return connection;
    },
    get counters() {
      return { ...counters };
    },
    getState: (jobId) => jobs.get(jobId)?.state,
    onConnection(listener) {
      connectionListeners.add(listener);
      return () => connectionListeners.delete(listener);
    },
    follow(jobId, callback) {
      if (signal.aborted) throw closedError();
      const job = jobs.get(jobId) ?? createFollowedJob(jobId, now());
      jobs.set(jobId, job);
      // An own function for each call, so that the same callback may follow twice.
      const listener: JobListener = (state) => callback(state);
      job.listeners.add(listener);
      wake();
      if (!job.asked) ask(job);
      listener(job.state);
      return () => leave(job, listener);
    },
    reconnectNow: () => socket.retryNow(),
    close() {
      if (signal.aborted) return;
      closing.abort();
      clearInterval(ticker);
      socket.stop();
      for (const job of allJobs()) job.listeners.clear();
      jobs.clear();
      setConnection('closed');
      connectionListeners.clear();
    },
  };
};
