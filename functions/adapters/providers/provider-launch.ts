/** What every provider asks of a launch before it sends anything. */
import type {
  LaunchRequest,
  ListAnswer,
  ProviderInstance,
  ProviderRefusal,
  TerminateAnswer,
} from '../../core/providers/worker-provider.ts';

const WORKER_ID = /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/;
const POOL = /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

const isCount = (value: number, max: number): boolean =>
  Number.isSafeInteger(value) && value >= 0 && value <= max;

/** ISO 8601 with its zone, and a moment that exists. */
export const isIsoTime = (text: unknown): text is string =>
  typeof text === 'string' && ISO.test(text) && Number.isFinite(Date.parse(text));

const isEnvironment = (environment: LaunchRequest['environment']): boolean =>
  Object.entries(environment).every(([name, value]) => VARIABLE.test(name) && !value.includes('\0'));

/** Pool names and worker ids become names and labels, so that both have one alphabet. */
export const launchProblem = (request: LaunchRequest): ProviderRefusal | undefined => {
  const problems: Readonly<Record<string, boolean>> = {
    workerId: !WORKER_ID.test(request.workerId),
    pool: !POOL.test(request.pool),
    image: request.image.trim() === '',
    environment: !isEnvironment(request.environment),
    port: !isCount(request.port, 65_535) || request.port === 0,
    gpuCount: !isCount(request.gpuCount, 64),
    diskGb: !isCount(request.diskGb, 100_000),
    leaseUntil: !isIsoTime(request.leaseUntil),
  };
  const wrong = Object.keys(problems).find((name) => problems[name] === true);
  return wrong === undefined ? undefined : { kind: 'rejected', message: `launch: ${wrong} does not fit` };
};

/** The environment of the container: what was asked, and the worker's own id, which always wins. */
export const environmentOf = ({
  environment,
  workerId,
}: LaunchRequest): Readonly<Record<string, string>> => ({
  ...environment,
  WORKER_ID: workerId,
});

const mayServe = ({ state }: ProviderInstance): boolean => state === 'starting' || state === 'running';

/** By what both name and list tell, so that whoever compares the same instances keeps the same one. */
const olderFirst = (a: ProviderInstance, b: ProviderInstance): number =>
  Date.parse(a.launchedAt) - Date.parse(b.launchedAt) || (a.instanceId < b.instanceId ? -1 : 1);

/**
 * Where a provider refuses no second instance of a name, two launches at once may both find none and make one each.
 * So each looks again after it has made its own, and all but the oldest end what they made. Where that look fails, or
 * lags, the surplus is in no row of the table and goes with the next pass of scaling.
 * @param find the instances of that worker
 */
export const keepOldest = async (
  made: ProviderInstance,
  find: () => Promise<ListAnswer>,
  terminate: (instanceId: string) => Promise<TerminateAnswer>,
): Promise<ProviderInstance> => {
  const listed = await find();
  const others = listed.kind === 'listed' ? listed.instances.filter(mayServe) : [];
  const rivals = others.filter(({ instanceId }) => instanceId !== made.instanceId);
  const [oldest = made] = [made, ...rivals].sort(olderFirst);
  if (oldest !== made) await terminate(made.instanceId);
  return oldest;
};
