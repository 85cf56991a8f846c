/** One launch: the providers in turn, and a row that always says what may have been made. */
import type { LaunchAnswer, LaunchRequest, ProviderRefusal } from '../providers/worker-provider.ts';
import { launchEntries, tagsOf, type LaunchEntry, type PoolConfig } from './pool-config.ts';
import type { Instance, InstancePatch, ScalingDependencies } from './ports.ts';
import { answered, providerPool } from './provider-pool.ts';

export type LaunchOutcome =
  | { readonly kind: 'launched'; readonly providerId: string }
  /** Something may have been made: the row stays, and the next passes look it up. */
  | { readonly kind: 'unknown' }
  /** Certainly nothing was made; the row is gone. */
  | { readonly kind: 'refused' };

const MINUTE_MS = 60_000;
/**
 * How long a provider is left alone after each refusal that the next minute would not change: after an unknown outcome
 * longer than its row is reckoned with, so that the next launch goes elsewhere.
 */
const HOLD_MS: Readonly<Record<ProviderRefusal['kind'], number>> = {
  noCapacity: 0,
  rateLimited: 0,
  unauthorized: 10 * MINUTE_MS,
  rejected: 10 * MINUTE_MS,
  unavailable: 5 * MINUTE_MS,
};
const OVERPRICED_HOLD_MS = 30 * MINUTE_MS;
/** A rate limit that asks for longer is a fault of the answer. */
const MAX_RATE_HOLD_MS = 60 * MINUTE_MS;

export const newInstance = (
  pool: PoolConfig,
  entry: LaunchEntry,
  { workerId, createdAt, leaseUntil }: Pick<Instance, 'workerId' | 'createdAt' | 'leaseUntil'>,
): Instance => ({
  pool: pool.name,
  workerId,
  providerId: entry.id,
  provider: entry.provider,
  image: entry.image,
  instanceId: null,
  condition: 'launching',
  createdAt,
  launchedAt: null,
  announcedAt: null,
  leaseUntil,
  pricePerHour: entry.maxPricePerHour,
  address: null,
  catalogueHash: null,
  idleSince: null,
  busyShare: 1,
  unwellSince: null,
  drainingSince: null,
  endReason: null,
  endedAt: null,
});

type Deps = ScalingDependencies;

/** Undefined when the secret lacks a member that the pool names. */
const secretEnvironmentOf = async (
  { secretEnvironment }: LaunchEntry,
  deps: Deps,
): Promise<Readonly<Record<string, string>> | undefined> => {
  const wanted = Object.entries(secretEnvironment);
  if (wanted.length === 0) return {};
  const secrets = await deps.secrets();
  const missing = wanted.filter(([, member]) => secrets[member] === undefined);
  if (missing.length === 0)
    return Object.fromEntries(wanted.map(([variable, member]) => [variable, secrets[member] ?? '']));
  deps.logger.error('scaling.secret-missing', { members: missing.map(([, member]) => member) });
  return undefined;
};

const previewsOf = ({ previewFunctionName: name }: Deps['monitor']): Readonly<Record<string, string>> =>
  name === undefined || name === '' ? {} : { PREVIEW_FUNCTION_NAME: name };

const requestOf = (
  { workerId, leaseUntil }: Instance,
  { pool, entry, deps }: { pool: PoolConfig; entry: LaunchEntry; deps: Deps },
  secretEnvironment: Readonly<Record<string, string>>,
): LaunchRequest => ({
  pool: providerPool(deps.stage, pool),
  workerId,
  image: entry.image,
  environment: {
    ...entry.environment,
    ...secretEnvironment,
    WORKER_ID: workerId,
    EVENTBRIDGE_BUS_NAME: deps.monitor.eventBusName,
    AWS_REGION: deps.monitor.region,
    ...previewsOf(deps.monitor),
    WORKER_TAGS: tagsOf(pool, entry).join(','),
  },
  port: entry.port,
  products: entry.products,
  gpuCount: entry.gpuCount,
  diskGb: entry.diskGb,
  leaseUntil,
});

/** A secret that cannot be read is as good as a key that is missing: a person must act. */
const ask = async (
  instance: Instance,
  { pool, entry, deps }: { pool: PoolConfig; entry: LaunchEntry; deps: Deps },
): Promise<LaunchAnswer> => {
  const provider = deps.providers.get(pool.name)?.get(entry.id);
  if (provider === undefined) return { kind: 'rejected', message: 'there is no such provider' };
  const secret = await secretEnvironmentOf(entry, deps).catch(() => undefined);
  if (secret === undefined)
    return { kind: 'unauthorized', message: 'the provider secret lacks what the pool names' };
  return await answered(provider.launch(requestOf(instance, { pool, entry, deps }, secret)));
};

interface Attempt {
  readonly instance: Instance;
  readonly pool: PoolConfig;
  readonly entry: LaunchEntry;
  readonly deps: Deps;
}

const hold = async ({ pool, entry, deps }: Attempt, ms: number, reason: string): Promise<void> => {
  if (ms <= 0) return;
  const until = new Date(deps.clock.now() + ms).toISOString();
  await deps.instances.hold(pool.name, entry.id, { until, reason });
};

const onRefusal = async (refusal: ProviderRefusal, attempt: Attempt): Promise<void> => {
  const { pool, entry, deps, instance } = attempt;
  const isAlarm = refusal.kind === 'unauthorized' || refusal.kind === 'rejected';
  const level = refusal.kind === 'noCapacity' ? 'info' : isAlarm ? 'error' : 'warn';
  const data = { pool: pool.name, providerId: entry.id, workerId: instance.workerId };
  deps.logger[level]('scaling.launch-refused', { ...data, kind: refusal.kind, message: refusal.message });
  const ms =
    refusal.kind === 'rateLimited' ? Math.min(refusal.retryAfterMs, MAX_RATE_HOLD_MS) : HOLD_MS[refusal.kind];
  await hold(attempt, ms, refusal.kind);
};

/** It costs more than the budget counts with: it goes at once, and its provider is left alone for a while. */
const refuseOverpriced = async (instanceId: string, attempt: Attempt): Promise<void> => {
  const { instance, pool, entry, deps } = attempt;
  await hold(attempt, OVERPRICED_HOLD_MS, 'overpriced');
  const ending: InstancePatch = { condition: 'ending', endReason: 'overpriced' };
  await deps.instances.change(instance, ending, ['launching', 'live']);
  const answer = await answered(
    deps.providers.get(pool.name)?.get(entry.id)?.terminate(instanceId) ??
      Promise.resolve({ kind: 'absent' as const }),
  );
  if (answer.kind !== 'terminated' && answer.kind !== 'absent') return;
  const endedAt = new Date(deps.clock.now()).toISOString();
  await deps.instances.change(instance, { condition: 'ended', endedAt }, ['ending']);
};

const onLaunched = async (
  { instance: told }: Extract<LaunchAnswer, { kind: 'launched' }>,
  attempt: Attempt,
): Promise<LaunchOutcome> => {
  const { instance, pool, entry, deps } = attempt;
  const { instanceId, pricePerHour, address } = told;
  const patch: InstancePatch = {
    condition: 'live',
    instanceId,
    launchedAt: new Date(told.launchedAt).toISOString(),
    pricePerHour: pricePerHour ?? entry.maxPricePerHour,
    address,
  };
  await deps.instances.change(instance, patch, ['launching']);
  const data = { pool: pool.name, providerId: entry.id, workerId: instance.workerId, instanceId };
  if (pricePerHour !== null && pricePerHour > entry.maxPricePerHour) {
    deps.logger.error('scaling.overpriced', {
      ...data,
      pricePerHour,
      maxPricePerHour: entry.maxPricePerHour,
    });
    await refuseOverpriced(instanceId, attempt);
  } else deps.logger.info('scaling.launched', { ...data, pricePerHour, leaseUntil: instance.leaseUntil });
  return { kind: 'launched', providerId: entry.id };
};

/** The row says which provider is asked, before it is. False when another pass has given the launch up. */
const moveTo = ({ instance, entry, deps }: Attempt): Promise<boolean> =>
  deps.instances.change(
    instance,
    {
      providerId: entry.id,
      provider: entry.provider,
      image: entry.image,
      pricePerHour: entry.maxPricePerHour,
    },
    ['launching'],
  );

/**
 * Asks the candidates in turn while nothing was made. The row must be written by now.
 * @param deadline milliseconds since the epoch; no provider is asked after it
 */
export const launchInstance = async (
  instance: Instance,
  candidates: readonly string[],
  { pool, deadline, deps }: { pool: PoolConfig; deadline: number; deps: Deps },
): Promise<LaunchOutcome> => {
  for (const entry of launchEntries(pool).filter(({ id }) => candidates.includes(id))) {
    const attempt: Attempt = { instance, pool, entry, deps };
    if (deps.clock.now() > deadline) break;
    if (entry.id !== instance.providerId && !(await moveTo(attempt))) return { kind: 'unknown' };
    const answer = await ask(instance, attempt);
    if (answer.kind === 'launched') return await onLaunched(answer, attempt);
    await onRefusal(answer, attempt);
    if (answer.kind === 'unavailable') return { kind: 'unknown' };
  }
  await deps.instances.discard(instance);
  deps.logger.warn('scaling.not-launched', { pool: pool.name, workerId: instance.workerId });
  return { kind: 'refused' };
};
