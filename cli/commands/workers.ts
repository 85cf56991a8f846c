import { workerListSchema, workerSchema, metricsSchema, queueStateSchema } from '../../shared-types/index.ts';
import { EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { table } from '../table.ts';

export const workersCommand = async (context: Context): Promise<ExitCode> => {
  const list = await context.api.json(workerListSchema, { path: '/workers' });
  if (context.json) printJson(context, list);
  else
    context.out.write(
      table(
        ['ID', 'STATUS', 'TASK', 'QUEUED', 'ENDPOINT', 'TAGS', 'LAST ACTIVE'],
        list.workers.map((worker) => [
          worker.id,
          worker.status,
          worker.current_task_id,
          String(worker.queued_tasks),
          worker.endpoint,
          worker.tags.join(','),
          worker.last_active_at,
        ]),
      ),
    );
  return EXIT.ok;
};

export const setDrainingCommand = async (
  id: string,
  action: 'drain' | 'resume',
  context: Context,
): Promise<ExitCode> => {
  const path = `/workers/${encodeURIComponent(id)}/${action}`;
  const worker = await context.api.json(workerSchema, { method: 'POST', path });
  if (context.json) printJson(context, worker);
  else context.out.write(`${worker.id} is ${worker.status}\n`);
  return EXIT.ok;
};

export const metricsCommand = async (context: Context): Promise<ExitCode> => {
  const metrics = await context.api.json(metricsSchema, { path: '/metrics' });
  if (context.json) printJson(context, metrics);
  else {
    const { queue, workers } = metrics;
    for (const [name, value] of [...Object.entries(queue), ...Object.entries(workers)])
      context.out.write(`${name.padEnd(18)} ${String(value)}\n`);
  }
  return EXIT.ok;
};

export const queueCommand = async (
  action: 'pause' | 'resume',
  scope: 'mine' | 'all',
  context: Context,
): Promise<ExitCode> => {
  const body = JSON.stringify({ scope });
  const state = await context.api.json(queueStateSchema, { method: 'POST', path: `/queue/${action}`, body });
  if (context.json) printJson(context, state);
  else
    context.out.write(
      `paused: yours ${state.paused ? 'yes' : 'no'}, all ${state.all_paused ? 'yes' : 'no'}\n`,
    );
  return EXIT.ok;
};
