/**
 * Workers on Novita AI, through its GPU instance API (https://novita.ai/docs/api-reference/gpu-instance-create-instance).
 * Whose an instance is, until when, and what it costs stands in its name (see `novita-runpod-name.ts`).
 */
import type { Clock } from '../../core/ports.ts';
import {
  isPoolOfStage,
  type LaunchAnswer,
  type LaunchRequest,
  type ListAnswer,
  type LogsAnswer,
  type ProviderInstance,
  type TerminateAnswer,
  type WorkerProvider,
} from '../../core/providers/worker-provider.ts';
import { systemClock } from '../system.ts';
import { actOn, findInstance, listInstances, listProducts } from './novita-api.ts';
import { addressOf, instanceOf, isBeingRemoved, type NovitaInstance } from './novita-instance.ts';
import { launchOn } from './novita-launch.ts';
import { linesOf, logUrl } from './novita-logs.ts';
import { openApiSession, type ApiSession } from './novita-runpod-api.ts';

export interface NovitaOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly apiKey: () => Promise<string>;
  /** `https://api.novita.ai/gpu-instance/openapi/v1` by default. */
  readonly baseUrl?: string;
  /** For private images: the id of the registry's credentials at Novita. */
  readonly imageAuthId?: string;
  /** A random one by default. */
  readonly clusterId?: string;
  readonly clock?: Clock;
}

interface Novita {
  readonly baseUrl: string;
  /** Addresses of running instances, which the list does not tell and which do not change. */
  readonly addresses: Map<string, string>;
  session(secrets?: readonly string[]): ApiSession;
}

/** Best effort: an instance without its address is still one that a reaper must see. */
const learnAddress = async (novita: Novita, session: ApiSession, { id }: NovitaInstance): Promise<void> => {
  const found = await findInstance(session, novita.baseUrl, id);
  const address = found.kind === 'instance' ? addressOf(found.instance) : null;
  if (address !== null) novita.addresses.set(id, address);
};

const lacksAddress = ({ addresses }: Novita, told: NovitaInstance): boolean =>
  told.status === 'running' && addressOf(told) === null && !addresses.has(told.id);

/** Those of that pool, or of that worker in it. */
const listPool = async (
  novita: Novita,
  session: ApiSession,
  { pool, workerId }: { readonly pool: string; readonly workerId?: string },
): Promise<ListAnswer> => {
  const isAsked = (found: ProviderInstance | undefined): boolean =>
    found?.pool === pool && (workerId === undefined || found.workerId === workerId);
  const read = await listInstances(session, novita.baseUrl);
  if (read.kind !== 'read') return read;
  const running = new Set(read.value.filter(({ status }) => status === 'running').map(({ id }) => id));
  for (const id of novita.addresses.keys()) if (!running.has(id)) novita.addresses.delete(id);
  const ours = read.value.filter((told) => isAsked(instanceOf(told)));
  for (const told of ours) if (lacksAddress(novita, told)) await learnAddress(novita, session, told);
  const instances = ours.map((told) => instanceOf(told, novita.addresses.get(told.id)));
  return { kind: 'listed', instances: instances.filter((instance) => instance !== undefined) };
};

/** Without addresses, which are a question each: whoever asks for a whole stage ends what it finds. */
const listStage = async (novita: Novita, stage: string): Promise<ListAnswer> => {
  const read = await listInstances(novita.session(), novita.baseUrl);
  if (read.kind !== 'read') return read;
  const instances = read.value.flatMap((told) => instanceOf(told) ?? []);
  return { kind: 'listed', instances: instances.filter(({ pool }) => isPoolOfStage(stage, pool)) };
};

type OursFound =
  | { readonly kind: 'ours'; readonly told: NovitaInstance; readonly instance: ProviderInstance }
  | Exclude<Awaited<ReturnType<typeof findInstance>>, { kind: 'instance' }>;

/** An instance that someone else made is, for us, not there. */
const findOurs = async (novita: Novita, session: ApiSession, instanceId: string): Promise<OursFound> => {
  const found = await findInstance(session, novita.baseUrl, instanceId);
  if (found.kind !== 'instance') return found;
  const instance = instanceOf(found.instance);
  return instance === undefined ? { kind: 'absent' } : { kind: 'ours', told: found.instance, instance };
};

const launch = async (
  novita: Novita,
  request: LaunchRequest,
  options: NovitaOptions,
): Promise<LaunchAnswer> => {
  const session = novita.session(Object.values(request.environment));
  const { clock = systemClock, imageAuthId, clusterId } = options;
  return launchOn(request, {
    session,
    baseUrl: novita.baseUrl,
    now: clock.now(),
    find: () => listPool(novita, session, request),
    terminate: (instanceId) => terminate(novita, instanceId),
    extras: {
      ...(imageAuthId === undefined ? {} : { imageAuthId }),
      ...(clusterId === undefined ? {} : { clusterId }),
    },
  });
};

/**
 * An instance that cannot be deleted as it is gets stopped, which ends the price of its GPU
 * (https://novita.ai/docs/guides/gpu-instance-pricing), and is deleted by the next call.
 */
const terminate = async (novita: Novita, instanceId: string): Promise<TerminateAnswer> => {
  const session = novita.session();
  const found = await findOurs(novita, session, instanceId);
  if (found.kind !== 'ours') return found;
  if (isBeingRemoved(found.told)) return { kind: 'terminated' };
  const deleted = await actOn(session, novita.baseUrl, 'delete', instanceId);
  if (deleted.kind === 'done') return { kind: 'terminated' };
  if (deleted.kind !== 'rejected') return deleted;
  const stopped = await actOn(session, novita.baseUrl, 'stop', instanceId);
  if (stopped.kind === 'absent') return stopped;
  if (stopped.kind !== 'done') return { kind: 'unavailable', message: deleted.message };
  return { kind: 'unavailable', message: `stopped, and not yet deleted: ${deleted.message}` };
};

/** Its log is at an address of its own, which must not see the key. */
const logs = async (novita: Novita, instanceId: string, lines: number): Promise<LogsAnswer> => {
  const session = novita.session();
  const found = await findOurs(novita, session, instanceId);
  if (found.kind !== 'ours') return found;
  const url = logUrl(found.told.connectComponentLog?.instanceLogAddress, lines, novita.baseUrl);
  if (url === undefined) return { kind: 'logs', lines: [] };
  const answer = await session.send({ method: 'GET', url, withKey: false });
  if (answer.kind !== 'answer') return answer;
  if (answer.status !== 200) return answer.refusal;
  return { kind: 'logs', lines: linesOf(answer.text, lines) };
};

/** Source: https://novita.ai/docs/api-reference/gpu-instance-create-instance and its neighbours. GPUs only. */
export const createNovitaProvider = (options: NovitaOptions): WorkerProvider => {
  const { apiKey, clock = systemClock } = options;
  const baseUrl = (options.baseUrl ?? 'https://api.novita.ai/gpu-instance/openapi/v1').replace(/\/+$/, '');
  const novita: Novita = {
    baseUrl,
    addresses: new Map(),
    session: (secrets) => openApiSession({ apiKey, clock }, secrets),
  };
  return {
    name: 'novita',
    launch: (request) => launch(novita, request, options),
    get: async (instanceId) => {
      const found = await findOurs(novita, novita.session(), instanceId);
      return found.kind === 'ours' ? { kind: 'found', instance: found.instance } : found;
    },
    list: (pool) => listPool(novita, novita.session(), { pool }),
    listStage: (stage) => listStage(novita, stage),
    terminate: (instanceId) => terminate(novita, instanceId),
    logs: (instanceId, lines) => logs(novita, instanceId, lines),
    products: async () => {
      const read = await listProducts(novita.session(), baseUrl);
      return read.kind === 'read' ? { kind: 'products', products: read.value } : read;
    },
  };
};
