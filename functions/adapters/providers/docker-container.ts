/** A worker's container: its name, its labels, what Docker is asked to make, and what an instance can be read from it. */
import type { InstanceState, LaunchRequest, ProviderInstance } from '../../core/providers/worker-provider.ts';
import type { InspectedContainer, ListedContainer } from './docker-api.ts';
import { environmentOf, isIsoTime } from './provider-launch.ts';

/** A place for workers on this machine: some of its GPUs, or none. */
export interface DockerProduct {
  /** What a launch asks for. */
  readonly id: string;
  readonly name?: string;
  /** Indexes or UUIDs of the GPUs, all of which each of its instances gets. Without it: any, as many as asked for. */
  readonly deviceIds?: readonly string[];
  /** How many instances may share the place; 1 by default. */
  readonly slots?: number;
  /** US dollars an hour, such as the electricity. */
  readonly pricePerHour?: number;
}

const PREFIX = 'comfyui-pipeline';
export const POOL_LABEL = `${PREFIX}.pool`;
const WORKER_LABEL = `${PREFIX}.worker-id`;
const LAUNCHED_LABEL = `${PREFIX}.launched-at`;
const LEASE_LABEL = `${PREFIX}.lease-until`;
const PORT_LABEL = `${PREFIX}.port`;
const PRODUCT_LABEL = `${PREFIX}.product`;

/** Neither part holds a dot, so that no two pairs share a name. */
export const containerName = (pool: string, workerId: string): string => `${PREFIX}.${pool}.${workerId}`;

const NAME = /^comfyui-pipeline\.[A-Za-z0-9-]{1,63}\.[A-Za-z0-9-]{1,63}$/;
export const isContainerName = (name: string): boolean => NAME.test(name);

type Labels = Readonly<Record<string, string>>;

const deviceRequests = ({ deviceIds }: DockerProduct, gpuCount: number): unknown[] => {
  if (gpuCount === 0) return [];
  const which = deviceIds === undefined ? { Count: gpuCount } : { DeviceIDs: deviceIds };
  // No driver by name, as `docker run --gpus` does: whichever the machine has for GPUs.
  return [{ Driver: '', ...which, Capabilities: [['gpu']] }];
};

export interface ContainerPlan {
  readonly request: LaunchRequest;
  readonly product: DockerProduct;
  /** ISO 8601. */
  readonly launchedAt: string;
}

export const labelsOf = ({ request, product, launchedAt }: ContainerPlan): Labels => ({
  [POOL_LABEL]: request.pool,
  [WORKER_LABEL]: request.workerId,
  [LAUNCHED_LABEL]: launchedAt,
  [LEASE_LABEL]: request.leaseUntil,
  [PORT_LABEL]: String(request.port),
  [PRODUCT_LABEL]: product.id,
});

/**
 * The body of ContainerCreate. Its port is published on loopback only, where Docker finds room; it is started again
 * three times when ComfyUI ends, and not after a restart of the machine, when its lease may be over.
 */
export const containerBody = (plan: ContainerPlan) => {
  const { request, product } = plan;
  const port = `${request.port}/tcp`;
  return {
    Image: request.image,
    Env: Object.entries(environmentOf(request)).map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(plan),
    Tty: false,
    ExposedPorts: { [port]: {} },
    HostConfig: {
      PortBindings: { [port]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
      DeviceRequests: deviceRequests(product, request.gpuCount),
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      AutoRemove: false,
      // So that the monitor finds what runs on the machine itself.
      ExtraHosts: ['host.docker.internal:host-gateway'],
    },
  };
};

const STATES: Readonly<Record<string, InstanceState>> = {
  created: 'starting',
  restarting: 'starting',
  running: 'running',
  paused: 'stopped',
  removing: 'stopping',
  exited: 'stopped',
  dead: 'failed',
};
const stateOf = (status: string): InstanceState => STATES[status.toLowerCase()] ?? 'failed';

export interface SeenContainer {
  readonly name: string;
  readonly labels: Labels;
  readonly state: InstanceState;
  /** ISO 8601. */
  readonly createdAt: string;
  /** On this machine; undefined while it is not published. */
  readonly hostPort: number | undefined;
}

const portOf = (labels: Labels): number => Number(labels[PORT_LABEL]);
const isoOf = (date: Date): string =>
  Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();

export const seenInspected = (container: InspectedContainer): SeenContainer => {
  const labels = container.Config.Labels;
  const hostPort = Number(container.NetworkSettings.Ports?.[`${portOf(labels)}/tcp`]?.[0]?.HostPort);
  return {
    name: container.Name.replace(/^\//, ''),
    labels,
    state: stateOf(container.State.Status),
    createdAt: isoOf(new Date(container.Created)),
    hostPort: hostPort > 0 ? hostPort : undefined,
  };
};

export const seenListed = (container: ListedContainer): SeenContainer => ({
  name: (container.Names[0] ?? '').replace(/^\//, ''),
  labels: container.Labels,
  state: stateOf(container.State),
  createdAt: isoOf(new Date(container.Created * 1000)),
  hostPort: container.Ports.find(({ PrivatePort }) => PrivatePort === portOf(container.Labels))?.PublicPort,
});

/** The place that it takes, and undefined once it is down or was never ours. */
export const placeOf = ({ labels, state }: SeenContainer): string | undefined =>
  state === 'starting' || state === 'running' ? labels[PRODUCT_LABEL] : undefined;

/** Undefined for what is not ours. A lease that does not read is over: whoever sees it stops it. */
export const instanceOf = (
  { name, labels, state, createdAt, hostPort }: SeenContainer,
  prices: ReadonlyMap<string, number>,
): ProviderInstance | undefined => {
  const pool = labels[POOL_LABEL];
  const workerId = labels[WORKER_LABEL];
  if (pool === undefined || workerId === undefined || name !== containerName(pool, workerId))
    return undefined;
  const lease = labels[LEASE_LABEL];
  const launched = labels[LAUNCHED_LABEL];
  return {
    instanceId: name,
    provider: 'docker',
    pool,
    workerId,
    state,
    launchedAt: isIsoTime(launched) ? launched : createdAt,
    leaseUntil: isIsoTime(lease) ? lease : createdAt,
    pricePerHour: prices.get(labels[PRODUCT_LABEL] ?? '') ?? null,
    address: state === 'running' && hostPort !== undefined ? `http://127.0.0.1:${hostPort}` : null,
  };
};
