/**
 * Workers on RunPod, through its REST API, version 1 (https://docs.runpod.io/api-reference/overview; version 2 was in
 * beta, https://docs.runpod.io/api-reference-v2/overview): one pod an instance. Whose it is, and until when, stands in the pod's name (see `novita-runpod-name.ts`).
 */
import {
  isPoolOfStage,
  type LaunchAnswer,
  type LaunchRequest,
  type ListAnswer,
  type ProviderRefusal,
  type WorkerProvider,
} from '../../core/providers/worker-provider.ts';
import type { Clock } from '../../core/ports.ts';
import { systemClock } from '../system.ts';
import {
  jsonField,
  openApiSession,
  type ApiAnswer,
  type ApiOptions,
  type ApiSession,
} from './novita-runpod-api.ts';
import { instanceNameOf, readInstanceName } from './novita-runpod-name.ts';
import { environmentOf, keepOldest, launchProblem } from './provider-launch.ts';
import { readProviderJson } from './provider-http.ts';
import { instanceOf, podSchema, podsSchema, type Pod } from './runpod-pod.ts';
import { readProducts, type RunpodCloud } from './runpod-products.ts';

export interface RunpodOptions {
  /** A key with the right to read and write pods; sent as `Authorization: Bearer`. */
  readonly apiKey: () => Promise<string>;
  /** `https://rest.runpod.io/v1` by default. */
  readonly baseUrl?: string;
  /** `https://api.runpod.io/graphql` by default: the REST API has no list of GPU types. */
  readonly graphqlUrl?: string;
  /** `SECURE` by default, as RunPod's own. */
  readonly cloudType?: RunpodCloud;
  /** For private images: the id of the registry's credentials at RunPod. */
  readonly containerRegistryAuthId?: string;
  readonly clock?: Clock;
}

interface RunpodApi {
  readonly options: ApiOptions;
  readonly clock: Clock;
  readonly podsUrl: string;
  readonly cloudType: RunpodCloud;
  readonly containerRegistryAuthId: string | undefined;
}

/**
 * RunPod has no code for it, only sentences, with HTTP 500 and at times 200: these are the ones that were seen
 * (https://github.com/runpod/runpod-python/issues/21, https://github.com/runpod/runpodctl/issues/189).
 */
const NO_CAPACITY =
  /no (longer any )?instances (currently )?available|does not have the resources to deploy|instances available with enough disk space/i;

const isNoCapacity = ({ text }: ApiAnswer): boolean =>
  NO_CAPACITY.test(
    [jsonField(text, 'error'), jsonField(text, 'message'), jsonField(text, 'detail')].join(' '),
  );

const podUrl = ({ podsUrl }: RunpodApi, instanceId: string): string =>
  `${podsUrl}/${encodeURIComponent(instanceId)}`;

/** No id of RunPod; an empty one or dots would ask for something else. */
const isPodId = (instanceId: string): boolean => /^[A-Za-z0-9_-]{1,100}$/.test(instanceId);

/** https://docs.runpod.io/api-reference/pods/GET/pods: one list without pages; without serverless workers. */
const listPods = async (
  api: RunpodApi,
  session: ApiSession,
  isAsked: (pool: string) => boolean,
): Promise<ListAnswer> => {
  // Not asked by name: what that filter matches is not documented, and a pod that it hid would be launched twice.
  const read = await session.read({ method: 'GET', url: api.podsUrl }, podsSchema);
  if (read.kind !== 'read') return read;
  const instances = read.value.map(instanceOf).filter((found) => found !== undefined);
  return { kind: 'listed', instances: instances.filter(({ pool }) => isAsked(pool)) };
};

type Found = Extract<LaunchAnswer, { kind: 'launched' }> | { readonly kind: 'absent' } | ProviderRefusal;

const listWorker = async (
  api: RunpodApi,
  session: ApiSession,
  { pool, workerId }: LaunchRequest,
): Promise<ListAnswer> => {
  const listed = await listPods(api, session, (found) => found === pool);
  if (listed.kind !== 'listed') return listed;
  return { kind: 'listed', instances: listed.instances.filter((found) => found.workerId === workerId) };
};

const findWorker = async (api: RunpodApi, session: ApiSession, request: LaunchRequest): Promise<Found> => {
  const listed = await listWorker(api, session, request);
  if (listed.kind !== 'listed') return listed;
  const [instance] = listed.instances;
  return instance === undefined ? { kind: 'absent' } : { kind: 'launched', instance };
};

/** Without GPUs, `products` are RunPod's CPU flavors. `custom` keeps our order: RunPod itself tries them in turn. */
const computeOf = ({ gpuCount, products }: LaunchRequest): Record<string, unknown> =>
  gpuCount === 0
    ? { computeType: 'CPU', cpuFlavorIds: products, cpuFlavorPriority: 'custom' }
    : { computeType: 'GPU', gpuCount, gpuTypeIds: products, gpuTypePriority: 'custom' };

const nameOf = ({ clock }: RunpodApi, { pool, workerId, leaseUntil }: LaunchRequest): string =>
  instanceNameOf({
    pool,
    workerId,
    launchedAt: clock.now(),
    leaseUntil: Date.parse(leaseUntil),
    pricePerHour: null,
  });

const bodyOf = (api: RunpodApi, request: LaunchRequest): Record<string, unknown> => ({
  name: nameOf(api, request),
  imageName: request.image,
  ...computeOf(request),
  cloudType: api.cloudType,
  containerDiskInGb: request.diskGb,
  // Else 20 GB more, which cost even while the pod is stopped.
  volumeInGb: 0,
  env: environmentOf(request),
  ports: [`${request.port}/http`],
  interruptible: false,
  ...(api.containerRegistryAuthId === undefined
    ? {}
    : { containerRegistryAuthId: api.containerRegistryAuthId }),
});

/** A pod, or what else the answer says. A 2xx that does not read is not quoted: it may hold the environment. */
const createdOf = (answer: ApiAnswer): LaunchAnswer => {
  if (answer.status < 200 || answer.status > 299) return answer.refusal;
  const read = readProviderJson(answer, podSchema);
  if (read.kind !== 'read') return read;
  const instance = instanceOf(read.value);
  if (instance !== undefined) return { kind: 'launched', instance };
  return { kind: 'unavailable', message: `HTTP ${answer.status} with another pod than asked for` };
};

/**
 * https://docs.runpod.io/api-reference/pods/POST/pods. Pods were made although the answer was 500
 * (https://github.com/transformerlab/transformerlab-app/pull/2305): so the answer to a 500 stays `unavailable`, which
 * the next launch looks up, and a 500 that says «no capacity» is believed only when no such pod is there.
 */
const createPod = async (
  api: RunpodApi,
  session: ApiSession,
  request: LaunchRequest,
): Promise<LaunchAnswer> => {
  const answer = await session.send({ method: 'POST', url: api.podsUrl, body: bodyOf(api, request) });
  if (answer.kind !== 'answer') return answer;
  const created = createdOf(answer);
  if (created.kind === 'launched' || !isNoCapacity(answer)) return created;
  const found = created.kind === 'unavailable' ? await findWorker(api, session, request) : undefined;
  if (found !== undefined && found.kind !== 'absent') return found.kind === 'launched' ? found : created;
  return { kind: 'noCapacity', message: answer.refusal.message };
};

const launchProblemOf = (api: RunpodApi, request: LaunchRequest): ProviderRefusal | undefined => {
  const problem = launchProblem(request);
  if (problem !== undefined) return problem;
  const problems: Readonly<Record<string, boolean>> = {
    products: request.products.length === 0 || request.products.some((id) => id.trim() === ''),
    diskGb: request.diskGb < 1,
    // Else nobody could read from the pod until when it may live.
    leaseUntil: readInstanceName(nameOf(api, request)) === undefined,
  };
  const wrong = Object.keys(problems).find((name) => problems[name] === true);
  return wrong === undefined ? undefined : { kind: 'rejected', message: `launch: ${wrong} does not fit` };
};

type PodFound = { readonly kind: 'pod'; readonly pod: Pod } | { readonly kind: 'absent' } | ProviderRefusal;

/** https://docs.runpod.io/api-reference/pods/GET/pods/podId */
const findPod = async (api: RunpodApi, session: ApiSession, instanceId: string): Promise<PodFound> => {
  if (!isPodId(instanceId)) return { kind: 'absent' };
  const answer = await session.send({ method: 'GET', url: podUrl(api, instanceId) });
  if (answer.kind !== 'answer') return answer;
  if (answer.status === 404) return { kind: 'absent' };
  if (answer.status < 200 || answer.status > 299) return answer.refusal;
  const read = readProviderJson(answer, podSchema);
  if (read.kind !== 'read') return read;
  return read.value.desiredStatus === 'TERMINATED' ? { kind: 'absent' } : { kind: 'pod', pod: read.value };
};

const launch = async (api: RunpodApi, request: LaunchRequest): Promise<LaunchAnswer> => {
  const problem = launchProblemOf(api, request);
  if (problem !== undefined) return problem;
  const session = openApiSession(api.options, Object.values(request.environment));
  const found = await findWorker(api, session, request);
  if (found.kind !== 'absent') return found;
  const created = await createPod(api, session, request);
  if (created.kind !== 'launched') return created;
  const instance = await keepOldest(
    created.instance,
    () => listWorker(api, session, request),
    (instanceId) => terminate(api, instanceId),
  );
  return { kind: 'launched', instance };
};

const get = async (api: RunpodApi, instanceId: string): ReturnType<WorkerProvider['get']> => {
  const found = await findPod(api, openApiSession(api.options), instanceId);
  if (found.kind !== 'pod') return found;
  const instance = instanceOf(found.pod);
  return instance === undefined ? { kind: 'absent' } : { kind: 'found', instance };
};

/** https://docs.runpod.io/api-reference/pods/DELETE/pods/podId: a running pod too; disk and volume go with it. */
const terminate = async (api: RunpodApi, instanceId: string): ReturnType<WorkerProvider['terminate']> => {
  const session = openApiSession(api.options);
  const found = await findPod(api, session, instanceId);
  if (found.kind !== 'pod') return found;
  // Not ours: for us it is not there.
  if (instanceOf(found.pod) === undefined) return { kind: 'absent' };
  const answer = await session.send({ method: 'DELETE', url: podUrl(api, instanceId) });
  if (answer.kind !== 'answer') return answer;
  if (answer.status === 404) return { kind: 'absent' };
  return answer.status === 204 || answer.status === 200 ? { kind: 'terminated' } : answer.refusal;
};

/**
 * Source: https://docs.runpod.io/api-reference/pods/POST/pods and its neighbours. Prices are RunPod credits, which are
 * US dollars. RunPod tells what it wants of a pod, not whether its image is there yet, so a new one is `running` at
 * once. The REST API has no logs.
 */
export const createRunpodProvider = (options: RunpodOptions): WorkerProvider => {
  const { clock = systemClock, cloudType = 'SECURE', graphqlUrl = 'https://api.runpod.io/graphql' } = options;
  const baseUrl = options.baseUrl ?? 'https://rest.runpod.io/v1';
  const api: RunpodApi = {
    options: { apiKey: options.apiKey, clock },
    clock,
    podsUrl: `${baseUrl.replace(/\/+$/, '')}/pods`,
    cloudType,
    containerRegistryAuthId: options.containerRegistryAuthId,
  };
  return {
    name: 'runpod',
    launch: (request) => launch(api, request),
    get: (instanceId) => get(api, instanceId),
    list: (pool) => listPods(api, openApiSession(api.options), (found) => found === pool),
    listStage: (stage) => listPods(api, openApiSession(api.options), (found) => isPoolOfStage(stage, found)),
    terminate: (instanceId) => terminate(api, instanceId),
    logs: () => Promise.resolve({ kind: 'unsupported' }),
    products: () => readProducts(openApiSession(api.options), graphqlUrl, cloudType),
  };
};
