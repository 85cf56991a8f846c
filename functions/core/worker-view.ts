/** A worker as the task API shows it: seed 001's Worker object. */
import type { Metrics, WorkerView } from '../../shared-types/index.ts';
import type { Instance } from './scaling/ports.ts';
import { statusOf, type Worker, type WorkerStatus } from './worker.ts';

export interface Viewer {
  readonly userId: string;
  readonly isOperator: boolean;
}

const portOf = ({ port, protocol }: URL): number => {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
};

/** The address was checked when the worker registered; a row that says otherwise still must not stop the list. */
const placeOf = (endpoint: string, isOperator: boolean): Pick<WorkerView, 'endpoint' | 'port'> => {
  if (!URL.canParse(endpoint)) return { endpoint: isOperator ? endpoint : '', port: 0 };
  const url = new URL(endpoint);
  return { endpoint: isOperator ? endpoint : url.origin, port: portOf(url) };
};

const HEALTHY: readonly WorkerStatus[] = ['idle', 'busy', 'draining'];

/** A provider's instances say so in a tag; monitors that nobody launched announce themselves. */
const providerOf = ({ tags }: Worker): string =>
  tags.find((tag) => tag.startsWith('provider:'))?.slice('provider:'.length) ?? 'static';

const currentTask = ({ held: [first] }: Worker, { userId, isOperator }: Viewer): string =>
  first !== undefined && (isOperator || first.userId === userId) ? first.jobId : '';

/** A path of the endpoint may be secret, and so are other users' tasks: operators alone see them. */
export const workerViewOf = (worker: Worker, viewer: Viewer): WorkerView => {
  const status = statusOf(worker);
  return {
    id: worker.workerId,
    pod_name: worker.workerId,
    status,
    ...placeOf(worker.endpoint, viewer.isOperator),
    current_task_id: currentTask(worker, viewer),
    queued_tasks: Math.max(0, worker.held.length - 1),
    created_at: worker.registeredAt,
    last_active_at: worker.lastSeenAt,
    health_status: HEALTHY.includes(status),
    tags: [...worker.tags],
    comfyui_version: worker.comfyuiVersion,
    provider: providerOf(worker),
  };
};

/** Launched, and not heard of yet: its monitor has not announced it. */
const startingOf = (workers: readonly Worker[], instances: readonly Instance[]): readonly Instance[] => {
  const registered = new Set(workers.map(({ workerId }) => workerId));
  return instances.filter(
    ({ condition, announcedAt, workerId }) =>
      (condition === 'launching' || condition === 'live') &&
      announcedAt === null &&
      !registered.has(workerId),
  );
};

const startingView = (instance: Instance, { isOperator }: Viewer): WorkerView => {
  const { workerId, address, createdAt, provider } = instance;
  return {
    id: workerId,
    pod_name: workerId,
    status: 'starting',
    ...placeOf(address ?? '', isOperator),
    current_task_id: '',
    queued_tasks: 0,
    created_at: createdAt,
    last_active_at: createdAt,
    health_status: false,
    tags: [],
    comfyui_version: null,
    provider,
  };
};

/** The workers of the registry, and the instances that are to become such. */
export const workerViewsOf = (
  workers: readonly Worker[],
  instances: readonly Instance[],
  viewer: Viewer,
): WorkerView[] => {
  const providers = new Map(instances.map(({ workerId, provider }) => [workerId, provider]));
  return [
    ...workers.map((worker) => {
      const view = workerViewOf(worker, viewer);
      return { ...view, provider: providers.get(worker.workerId) ?? view.provider };
    }),
    ...startingOf(workers, instances).map((instance) => startingView(instance, viewer)),
  ];
};

/** Seed 001's WorkerMetrics. */
export const workerMetricsOf = (
  workers: readonly Worker[],
  instances: readonly Instance[],
): Metrics['workers'] => {
  const statuses = workers.map(statusOf);
  const count = (...wanted: readonly WorkerStatus[]): number =>
    statuses.filter((status) => wanted.includes(status)).length;
  const starting = startingOf(workers, instances).length;
  return {
    total_workers: statuses.length - count('stopped') + starting,
    idle_workers: count('idle'),
    running_workers: count('busy', 'draining'),
    starting_workers: starting,
    failed_workers: count('failed', 'lost'),
  };
};
