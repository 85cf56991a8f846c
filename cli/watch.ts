/** Follows tasks to their end over the socket that browsers use, with the task API beside it for estimates. */
import { WebSocket } from 'ws';
import type * as z from 'zod';
import { taskSchema, ticketSchema } from '../shared-types/index.ts';
import { createPipelineClient, isFinished, type JobState } from '../web/index.ts';
import type { Api } from './api.ts';
import { progressLine, type Outlook } from './progress-line.ts';
import { createProgressView, type Output } from './progress-view.ts';

export interface WatchedTask {
  readonly id: string;
  /** What stands before its bar. */
  readonly name: string;
}

export interface WatchOptions {
  readonly output: Output;
  readonly quiet: boolean;
  /** Ends the watching, not the tasks. */
  readonly signal: AbortSignal;
  /** Milliseconds between two questions for an estimate. */
  readonly outlookEveryMs?: number;
}

const OUTLOOK_EVERY_MS = 5000;
const UNKNOWN: Outlook = { queuePosition: null, etaSeconds: null };

/** Without `payload`, which may have megabytes and is of no interest here. */
const seenTaskSchema = taskSchema.omit({ payload: true });
export type SeenTask = z.infer<typeof seenTaskSchema>;

export const readTask = (id: string, api: Api): Promise<SeenTask> =>
  api.json(seenTaskSchema, { path: `/tasks/${encodeURIComponent(id)}` });

const ticketOf = (api: Api) => api.json(ticketSchema, { method: 'POST', path: '/tickets', headers: {} });

const newsOf = (state: JobState): string =>
  `${state.status}/${state.attempt}/${state.progress?.nodeId ?? ''}/${Math.floor(state.percentage / 10)}`;

/** Watches until each task has ended and answers them as the API has them, in order. @throws CliError */
export const watchTasks = async (
  tasks: readonly WatchedTask[],
  api: Api,
  options: WatchOptions,
): Promise<SeenTask[]> => {
  const view = createProgressView(options.output, tasks.length, options.quiet);
  const client = createPipelineClient({
    apiUrl: api.url,
    webSocketUrl: (await ticketOf(api)).web_socket_url,
    ticket: async () => (await ticketOf(api)).ticket,
    ...(api.key === undefined ? {} : { token: api.key }),
    WebSocket,
  });
  const outlooks = new Map<string, Outlook>();
  const show = (index: number, { id, name }: WatchedTask): void => {
    const state = client.getState(id);
    if (state === undefined) return;
    const line = progressLine(name, state, outlooks.get(id) ?? UNKNOWN, options.output.columns ?? 100);
    view.show(index, line, newsOf(state));
  };
  const refresh = async (): Promise<void> => {
    for (const [index, task] of tasks.entries()) {
      const state = client.getState(task.id);
      if (state === undefined || isFinished(state)) continue;
      const seen = await readTask(task.id, api).catch(() => undefined);
      if (seen === undefined) continue;
      outlooks.set(task.id, { queuePosition: seen.queue_position, etaSeconds: seen.eta_seconds });
      show(index, task);
    }
  };
  let asking = Promise.resolve();
  const timer = setInterval(() => {
    asking = asking.then(refresh);
  }, options.outlookEveryMs ?? OUTLOOK_EVERY_MS);
  try {
    const ends = tasks.map(
      (task, index) =>
        new Promise<void>((resolve, reject) => {
          options.signal.addEventListener('abort', () => reject(options.signal.reason as Error), {
            once: true,
          });
          client.follow(task.id, (state) => {
            show(index, task);
            if (isFinished(state)) resolve();
          });
        }),
    );
    asking = refresh();
    await Promise.all(ends);
  } finally {
    clearInterval(timer);
    client.close();
    view.end();
  }
  return Promise.all(tasks.map(({ id }) => readTask(id, api)));
};
