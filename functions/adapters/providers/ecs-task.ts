/** A worker's task: what ECS is asked to run, and what an instance can be read from it. */
import { createHash } from 'node:crypto';
import type { RunTaskRequest, Task } from '@aws-sdk/client-ecs';
import type { InstanceState, LaunchRequest, ProviderInstance } from '../../core/providers/worker-provider.ts';
import { environmentOf, isIsoTime } from './provider-launch.ts';

/** A kind of task that a launch may ask for. Its image is the one of its definition: ECS has no override for it. */
export interface EcsProduct {
  /** What a launch asks for. */
  readonly id: string;
  readonly name?: string;
  /** Family, `family:revision` or ARN. */
  readonly taskDefinition: string;
  /** Of the container that runs ComfyUI and the monitor. */
  readonly containerName: string;
  /** Where it runs; the cluster's own strategy when neither is given. */
  readonly capacityProvider?: string;
  readonly launchType?: 'EC2' | 'FARGATE' | 'EXTERNAL';
  /** US dollars an hour. */
  readonly pricePerHour?: number;
}

export interface EcsPlacement {
  readonly cluster: string;
  /** For tasks of network mode `awsvpc`. */
  readonly subnets?: readonly string[];
  readonly securityGroups?: readonly string[];
  readonly assignPublicIp?: boolean;
}

const TAG = {
  pool: 'comfyui-pipeline:pool',
  workerId: 'comfyui-pipeline:worker-id',
  launchedAt: 'comfyui-pipeline:launched-at',
  leaseUntil: 'comfyui-pipeline:lease-until',
  port: 'comfyui-pipeline:port',
  product: 'comfyui-pipeline:product',
} as const;

/** At most 82 of the 128 characters that `startedBy` has. */
export const startedByOf = (pool: string): string => `comfyui-pipeline/${pool}`;

/** 64 characters, as long as a token may be. */
const clientTokenOf = ({ pool, workerId }: LaunchRequest, product: EcsProduct): string =>
  createHash('sha256').update([pool, workerId, product.id].join('\n')).digest('hex');

/** Gigabytes that Fargate gives a task (docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EphemeralStorage.html). */
const DISK = { min: 21, max: 200 };

const overridesOf = (request: LaunchRequest, product: EcsProduct) => {
  const isFargate = (product.launchType ?? product.capacityProvider ?? '').startsWith('FARGATE');
  const sizeInGiB = Math.min(Math.max(request.diskGb, DISK.min), DISK.max);
  return {
    containerOverrides: [
      {
        name: product.containerName,
        environment: Object.entries(environmentOf(request)).map(([name, value]) => ({ name, value })),
        ...(request.gpuCount === 0
          ? {}
          : { resourceRequirements: [{ type: 'GPU' as const, value: String(request.gpuCount) }] }),
      },
    ],
    ...(isFargate && request.diskGb > 0 ? { ephemeralStorage: { sizeInGiB } } : {}),
  };
};

const networkOf = ({ subnets, securityGroups, assignPublicIp = false }: EcsPlacement) =>
  subnets === undefined || subnets.length === 0
    ? {}
    : {
        networkConfiguration: {
          awsvpcConfiguration: {
            subnets: [...subnets],
            ...(securityGroups === undefined ? {} : { securityGroups: [...securityGroups] }),
            assignPublicIp: assignPublicIp ? ('ENABLED' as const) : ('DISABLED' as const),
          },
        },
      };

const whereOf = ({ capacityProvider, launchType }: EcsProduct) => {
  if (capacityProvider !== undefined) return { capacityProviderStrategy: [{ capacityProvider, weight: 1 }] };
  return launchType === undefined ? {} : { launchType };
};

/** @param launchedAt ISO 8601 */
export const runTaskRequest = (
  request: LaunchRequest,
  product: EcsProduct,
  placement: EcsPlacement,
  launchedAt: string,
): RunTaskRequest => ({
  cluster: placement.cluster,
  taskDefinition: product.taskDefinition,
  count: 1,
  startedBy: startedByOf(request.pool),
  clientToken: clientTokenOf(request, product),
  overrides: overridesOf(request, product),
  ...networkOf(placement),
  ...whereOf(product),
  tags: [
    { key: TAG.pool, value: request.pool },
    { key: TAG.workerId, value: request.workerId },
    { key: TAG.launchedAt, value: launchedAt },
    { key: TAG.leaseUntil, value: request.leaseUntil },
    { key: TAG.port, value: String(request.port) },
    { key: TAG.product, value: product.id },
  ],
});

/** docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html */
const STATES: Readonly<Record<string, InstanceState>> = {
  PROVISIONING: 'starting',
  PENDING: 'starting',
  ACTIVATING: 'starting',
  RUNNING: 'running',
  DEACTIVATING: 'stopping',
  STOPPING: 'stopping',
  DEPROVISIONING: 'stopping',
  STOPPED: 'stopped',
  DELETED: 'stopped',
};

const stateOf = ({ lastStatus = '', desiredStatus, stopCode }: Task): InstanceState => {
  const state = STATES[lastStatus] ?? 'starting';
  if (state === 'stopped') return stopCode === 'TaskFailedToStart' ? 'failed' : 'stopped';
  return desiredStatus === 'STOPPED' ? 'stopping' : state;
};

const privateAddress = ({ attachments = [], containers = [] }: Task): string | undefined =>
  attachments.flatMap(({ details = [] }) => details).find(({ name }) => name === 'privateIPv4Address')
    ?.value ?? containers.flatMap(({ networkInterfaces = [] }) => networkInterfaces)[0]?.privateIpv4Address;

/** Undefined for what is not ours. A lease that does not read is over: whoever sees it stops it. */
export const instanceOf = (task: Task, prices: ReadonlyMap<string, number>): ProviderInstance | undefined => {
  const tags = new Map((task.tags ?? []).map(({ key = '', value = '' }) => [key, value]));
  const pool = tags.get(TAG.pool);
  const workerId = tags.get(TAG.workerId);
  const { taskArn } = task;
  if (pool === undefined || workerId === undefined || taskArn === undefined) return undefined;
  if (task.startedBy !== startedByOf(pool)) return undefined;
  const createdAt = (task.createdAt ?? new Date(0)).toISOString();
  const launched = tags.get(TAG.launchedAt);
  const lease = tags.get(TAG.leaseUntil);
  const state = stateOf(task);
  const host = privateAddress(task);
  return {
    instanceId: taskArn,
    provider: 'ecs',
    pool,
    workerId,
    state,
    launchedAt: isIsoTime(launched) ? launched : createdAt,
    leaseUntil: isIsoTime(lease) ? lease : createdAt,
    pricePerHour: prices.get(tags.get(TAG.product) ?? '') ?? null,
    address: state === 'running' && host !== undefined ? `http://${host}:${tags.get(TAG.port)}` : null,
  };
};
