/** Follows tasks to their end over the socket that browsers use, with the task API beside it for estimates. */
import { WebSocket } from 'ws';
import type * as z from 'zod';
import { MAX_SUBSCRIPTIONS_PER_CONNECTION, taskSchema, ticketSchema } from '../shared-types/index.ts';
import { createPipelineClient, isFinished, type JobState, type PipelineClient } from '../web/index.ts';
import type { Api, ApiCall, Sleep } from './api.ts';
import { CliError, EXIT } from './cli-error.ts';
import { inParallel } from './in-parallel.ts';
import { createOutlooks } from './outlooks.ts';
import { progressLine } from './progress-line.ts';
import { createProgressView, type Output, type ProgressView } from './progress-view.ts';

export interface WatchedTask {
  readonly id: string;
  /** What stands before its bar: printable. */
  readonly name: string;
}

export interface WatchOptions {
  readonly output: Output;
  /** Shows nothing. */
  readonly quiet: boolean;
  /** Ends the watching, not the tasks. */
  readonly signal: AbortSignal;
  readonly sleep: Sleep;
  /** Milliseconds; only differences matter. */
  readonly now?: () => number;
}

/** Without a socket and an answer of the API for so long, the watching ends. */
const GIVE_UP_AFTER_MS = 10 * 60_000;
/** One connection may follow no more; the next take the places of those that end. */
const FOLLOWED_AT_ONCE = MAX_SUBSCRIPTIONS_PER_CONNECTION - 10;
const READ_AT_ONCE = 8;
/** A push may be ahead of what the API reads. */
const SETTLE_TRIES = 20;
const SETTLE_MS = 500;

/** Without `payload`, which may have megabytes and whose numbers would lose digits here. */
const seenTaskSchema = taskSchema.transform(({ payload: _payload, ...rest }) => rest);
export type SeenTask = z.infer<typeof seenTaskSchema>;

export const readTask = (id: string, api: Api): Promise<SeenTask> =>
  api.json(seenTaskSchema, { path: `/tasks/${encodeURIComponent(id)}` });

export const readTasks = (ids: readonly string[], api: Api): Promise<SeenTask[]> =>
  inParallel(ids, READ_AT_ONCE, (id) => readTask(id, api));

export const hasEnded = ({ status }: Pick<SeenTask, 'status'>): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

const readEnded = async (id: string, api: Api, { sleep, signal }: WatchOptions): Promise<SeenTask> => {
  for (let tries = 1; ; tries += 1) {
    const task = await readTask(id, api);
    if (hasEnded(task)) return task;
    if (tries >= SETTLE_TRIES)
      throw new CliError(EXIT.unavailable, `task ${id} has ended, but the API still calls it ${task.status}`);
    await sleep(SETTLE_MS, signal);
  }
};

const ticketOf = (api: Api, call: Pick<ApiCall, 'tries'> = {}) =>
  api.json(ticketSchema, { method: 'POST', path: '/tickets', repeatable: true, ...call });

interface Stop {
  /** Rejects when the watching has to end. */
  readonly stopped: Promise<never>;
  readonly stop: (error: unknown) => void;
}

const createStop = (signal: AbortSignal): Stop => {
  let stop: (error: unknown) => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = reject;
    const aborted = (): void =>
      reject(new CliError(EXIT.cancelled, 'stopped watching; the tasks go on (cancel ends them)'));
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });
  });
  return { stopped, stop };
};

/** A client whose sockets take a new ticket each; `stop` is told when there is no hope of one. */
const connect = async (
  api: Api,
  view: ProgressView,
  stop: (error: unknown) => void,
  now: () => number,
): Promise<PipelineClient> => {
  let unused: string | undefined;
  let heardAt = now();
  const first = await ticketOf(api);
  unused = first.ticket;
  const ticket = async (): Promise<string> => {
    const taken = unused;
    unused = undefined;
    if (taken !== undefined) return taken;
    try {
      const fresh = await ticketOf(api, { tries: 1 });
      heardAt = now();
      return fresh.ticket;
    } catch (error) {
      const hopeless = error instanceof CliError && error.exitCode === EXIT.unauthorized;
      if (hopeless || now() - heardAt >= GIVE_UP_AFTER_MS) stop(error);
      throw error;
    }
  };
  const client = createPipelineClient({
    apiUrl: api.url,
    webSocketUrl: first.web_socket_url,
    ticket,
    ...(api.key === undefined ? {} : { token: api.key }),
    WebSocket,
  });
  let wasOpen = false;
  client.onConnection((connection) => {
    if (wasOpen) heardAt = now();
    wasOpen = connection === 'open';
    if (connection === 'open') view.note('');
    if (connection === 'reconnecting') view.note('the connection broke; trying again');
    if (connection === 'polling') view.note('there is no socket; the task API is asked instead');
  });
  return client;
};

const newsOf = (state: JobState): string =>
  `${state.status}/${state.attempt}/${state.progress?.nodeId ?? ''}/${Math.floor(state.percentage / 10)}`;

/** Resolves when the task has ended. */
const followOne = (id: string, client: PipelineClient, show: (state: JobState) => void): Promise<void> =>
  new Promise((resolve) => {
    const leave = client.follow(id, (state) => {
      show(state);
      // Not at once: the first call comes before `follow` has answered.
      if (isFinished(state)) queueMicrotask(() => leave());
      if (isFinished(state)) resolve();
    });
  });

/** Watches until each task has ended and answers them as the API has them, in order. @throws CliError */
export const watchTasks = async (
  tasks: readonly WatchedTask[],
  api: Api,
  options: WatchOptions,
): Promise<SeenTask[]> => {
  const view = createProgressView(options.output, options.quiet);
  const now = options.now ?? (() => performance.now());
  const { stopped, stop } = createStop(options.signal);
  // Where it rejects before anybody waits for it.
  stopped.catch(() => undefined);
  const client = await connect(api, view, stop, now);
  const states = new Map<number, JobState>();
  const outlooks = createOutlooks(now);
  const show = (index: number, { id, name }: WatchedTask, state: JobState): void => {
    states.set(index, state);
    const render = (columns: number) => progressLine(name, state, outlooks.of(id), columns);
    view.show(index, { render, key: newsOf(state), ended: isFinished(state) });
  };
  const redraw = (id: string): void => {
    for (const [index, task] of tasks.entries()) {
      const state = states.get(index);
      if (task.id === id && state !== undefined) show(index, task, state);
    }
  };
  const openIds = (): string[] =>
    [...states.values()].filter((state) => !isFinished(state)).map(({ jobId }) => jobId);
  if (!options.quiet) outlooks.start(openIds, (id) => readTask(id, api), redraw);
  try {
    const ends = inParallel(tasks, FOLLOWED_AT_ONCE, (task, index) =>
      followOne(task.id, client, (state) => show(index, task, state)),
    );
    await Promise.race([ends, stopped]);
  } finally {
    outlooks.stop();
    client.close();
  }
  return inParallel(tasks, READ_AT_ONCE, ({ id }) => readEnded(id, api, options));
};
