import { workerListSchema, workerSchema, metricsSchema, queueStateSchema } from '../../shared-types/index.ts';
import { EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { printable } from '../printable.ts';
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
  const worker = await context.api.json(workerSchema, { method: 'POST', path, repeatable: true });
  if (context.json) printJson(context, worker);
  else context.out.write(`${printable(worker.id)} is ${worker.status}\n`);
  return EXIT.ok;
};

export const metricsCommand = async (context: Context): Promise<ExitCode> => {
  const metrics = await context.api.json(metricsSchema, { path: '/metrics' });
  if (context.json) printJson(context, metrics);
  else {
    const { queue, workers } = metrics;
    const rows = [...Object.entries(queue), ...Object.entries(workers)].map(([name, value]) => [
      name,
      String(value),
    ]);
    context.out.write(table(['WHAT', 'NUMBER'], rows));
  }
  return EXIT.ok;
};

export const queueCommand = async (
  action: 'pause' | 'resume' | 'status',
  scope: 'mine' | 'all',
  context: Context,
): Promise<ExitCode> => {
  const change = {
    method: 'POST',
    path: `/queue/${action}`,
    body: JSON.stringify({ scope }),
    repeatable: true,
  } as const;
  const state = await context.api.json(queueStateSchema, action === 'status' ? { path: '/queue' } : change);
  if (context.json) printJson(context, state);
  else
    context.out.write(
      `paused: yours ${state.paused ? 'yes' : 'no'}, all ${state.all_paused ? 'yes' : 'no'}\n`,
    );
  return EXIT.ok;
};
