/** One pass over all pools: read, put what was heard into the rows, decide, act. */
import { PipelineError } from '../errors.ts';
import { committedToday } from './budget.ts';
import { decideScaling } from './decide-scaling.ts';
import type { ScalingAction } from './pool-view.ts';
import { launchInstance, newInstance } from './launch-instance.ts';
import { launchEntries, type PoolConfig } from './pool-config.ts';
import type { EndReason, Instance, InstanceCondition, InstancePatch, ScalingDependencies } from './ports.ts';
import { answered, type ListedInstance } from './provider-pool.ts';
import { readPools, type PoolReading } from './read-pools.ts';
import { refresh, type InstanceView } from './refresh.ts';

/** What one pass did to one pool. */
export interface PoolReport {
  readonly pool: string;
  readonly launched: number;
  readonly drained: number;
  readonly terminated: number;
  /** Why nothing more was launched; null when all that was wanted was. */
  readonly held: string | null;
}

type Deps = ScalingDependencies;
type Launch = Extract<ScalingAction, { kind: 'launch' }>;
type Leave = Extract<ScalingAction, { kind: 'drain' | 'terminate' }>;

/** No provider is asked for a launch later than this after the pass began: a call may last 30 s more. */
const LAUNCH_WINDOW_MS = 45_000;

const changesOf = (before: Instance, after: Instance): InstancePatch =>
  Object.fromEntries(Object.entries(after).filter(([key, value]) => before[key as keyof Instance] !== value));

/** Undefined when another pass has changed the row meanwhile. */
const store = async (view: InstanceView, deps: Deps): Promise<readonly InstanceView[] | undefined> => {
  const { instance: before } = view;
  const after = refresh(view, deps.clock.now());
  const data = { pool: before.pool, workerId: before.workerId };
  if (after === 'discard') {
    deps.logger.warn('scaling.launch-lost', data);
    return (await deps.instances.discard(before)) ? [] : undefined;
  }
  const patch = changesOf(before, after);
  if (Object.keys(patch).length === 0) return [view];
  if (!(await deps.instances.change(before, patch, [before.condition]))) return undefined;
  if (after.condition !== before.condition)
    deps.logger.info('scaling.instance', { ...data, condition: after.condition, reason: after.endReason });
  return [{ ...view, instance: after }];
};

/** Undefined when another pass is at work on the pool. */
const refreshAll = async (
  { view }: PoolReading,
  deps: Deps,
): Promise<readonly InstanceView[] | undefined> => {
  const stored = await Promise.all(view.instances.map((each) => store(each, deps)));
  return stored.some((each) => each === undefined) ? undefined : stored.flatMap((each) => each ?? []);
};

const terminateOrphan = async (
  { providerId, found }: ListedInstance,
  pool: PoolConfig,
  deps: Deps,
): Promise<void> => {
  const { workerId, instanceId } = found;
  const provider = deps.providers.get(pool.name)?.get(providerId);
  if (provider === undefined) return;
  const answer = await answered(provider.terminate(instanceId));
  const data = { pool: pool.name, providerId, workerId, instanceId, answer: answer.kind };
  deps.logger.warn('scaling.orphan-terminated', data);
};

/** Ends that wait until the drained worker holds nothing. */
const WAITS_FOR_WORK: readonly EndReason[] = ['idle', 'excess', 'leaseEnd'];

/** Whoever took it into service again a moment ago has lifted the drain. */
const isAtWork = async ({ workerId, leaseUntil }: Instance, { workers, clock }: Deps): Promise<boolean> => {
  if (Date.parse(leaseUntil) <= clock.now()) return false;
  const worker = await workers.get(workerId);
  return worker !== undefined && (worker.held.length > 0 || worker.condition === 'ready');
};

const LIVING: readonly InstanceCondition[] = ['launching', 'live', 'ending'];

/** The intention is written first: a pass that dies here leaves an end that the next one finishes. */
const terminate = async (
  { workerId, endReason, reason }: Leave,
  { config, view }: PoolReading,
  deps: Deps,
): Promise<boolean> => {
  const instance = view.instances.find((each) => each.instance.workerId === workerId)?.instance;
  const provider = deps.providers.get(config.name)?.get(instance?.providerId ?? '');
  if (instance === undefined || instance.instanceId === null || provider === undefined) return false;
  if (WAITS_FOR_WORK.includes(endReason) && (await isAtWork(instance, deps))) return false;
  if (!(await deps.instances.change(instance, { condition: 'ending', endReason }, LIVING))) return false;
  const answer = await answered(provider.terminate(instance.instanceId));
  const data = { pool: config.name, workerId, instanceId: instance.instanceId, endReason, reason };
  if (answer.kind !== 'terminated' && answer.kind !== 'absent') {
    deps.logger.error('scaling.terminate-failed', { ...data, kind: answer.kind, message: answer.message });
    return false;
  }
  const endedAt = new Date(deps.clock.now()).toISOString();
  await deps.instances.change(instance, { condition: 'ended', endedAt }, ['ending']);
  deps.logger.info('scaling.terminated', data);
  return true;
};

/** The worker first: a row that says so before its worker drains could be taken for an empty one. */
const drain = async (
  { workerId, endReason, reason }: Leave,
  { config, view }: PoolReading,
  deps: Deps,
): Promise<boolean> => {
  const instance = view.instances.find((each) => each.instance.workerId === workerId)?.instance;
  if (instance === undefined || !(await deps.workers.setDraining(workerId, true))) return false;
  const drainingSince = instance.drainingSince ?? new Date(deps.clock.now()).toISOString();
  await deps.instances.change(instance, { drainingSince, endReason }, ['live']);
  deps.logger.info('scaling.draining', { pool: config.name, workerId, endReason, reason });
  return true;
};

const writeRow = async (
  { candidates, leaseUntil }: Launch,
  { config }: PoolReading,
  deps: Deps,
): Promise<Instance | undefined> => {
  const entry = launchEntries(config).find(({ id }) => candidates.includes(id));
  if (entry === undefined) return undefined;
  const workerId = `${config.name}-${deps.ids.uuid().slice(-12)}`;
  const createdAt = new Date(deps.clock.now()).toISOString();
  const instance = newInstance(config, entry, { workerId, createdAt, leaseUntil });
  return (await deps.instances.create(instance)) ? instance : undefined;
};

/**
 * Rows first, then the claim of the pass, then the providers: of two passes that decided on the same view one gets to
 * act, and one that comes in between sees the rows. The other takes its rows back, having asked nobody.
 */
const claim = async (
  reading: PoolReading,
  launches: readonly Launch[],
  deps: Deps,
): Promise<readonly (readonly [Launch, Instance])[] | undefined> => {
  const rows: (readonly [Launch, Instance])[] = [];
  for (const launch of launches) {
    const instance = await writeRow(launch, reading, deps);
    if (instance !== undefined) rows.push([launch, instance]);
  }
  const { config, view } = reading;
  if (await deps.instances.claim(config.name, view.state.revision)) return rows;
  for (const [, instance] of rows) await deps.instances.discard(instance);
  return undefined;
};

const countOf = async (effects: readonly Promise<boolean>[]): Promise<number> =>
  (await Promise.all(effects)).filter(Boolean).length;

const act = async (
  reading: PoolReading,
  actions: readonly ScalingAction[],
  { startedAt, deps }: { startedAt: number; deps: Deps },
): Promise<PoolReport> => {
  const { config } = reading;
  const of = <K extends ScalingAction['kind']>(kind: K) =>
    actions.filter((action): action is Extract<ScalingAction, { kind: K }> => action.kind === kind);
  const held = of('none')[0]?.reason ?? null;
  const nothing: PoolReport = { pool: config.name, launched: 0, drained: 0, terminated: 0, held };
  if (actions.every(({ kind }) => kind === 'none')) return nothing;
  const rows = await claim(reading, of('launch'), deps);
  if (rows === undefined) return { ...nothing, held: 'another pass is at work' };
  const terminated = await countOf(of('terminate').map((action) => terminate(action, reading, deps)));
  const drained = await countOf(of('drain').map((action) => drain(action, reading, deps)));
  const deadline = startedAt + LAUNCH_WINDOW_MS;
  const launched = await countOf(
    rows.map(async ([{ candidates }, instance]) => {
      const outcome = await launchInstance(instance, candidates, { pool: config, deadline, deps });
      return outcome.kind === 'launched';
    }),
  );
  return { pool: config.name, launched, drained, terminated, held };
};

const scalePool = async (reading: PoolReading, startedAt: number, deps: Deps): Promise<PoolReport> => {
  const { config } = reading;
  for (const orphan of reading.orphans) await terminateOrphan(orphan, config, deps);
  const instances = await refreshAll(reading, deps);
  const nothing = { pool: config.name, launched: 0, drained: 0, terminated: 0 };
  if (instances === undefined) return { ...nothing, held: 'another pass is at work' };
  const refreshed = { ...reading, view: { ...reading.view, instances } };
  const actions = decideScaling(refreshed.view, config, deps.clock.now());
  const report = await act(refreshed, actions, { startedAt, deps });
  const rows = instances.map(({ instance }) => instance);
  deps.logger.info('scaling.pass', {
    ...report,
    alive: rows.filter(({ condition }) => condition !== 'ended').length,
    committedTodayUsd: Math.round(committedToday(rows, deps.clock.now()) * 100) / 100,
  });
  return report;
};

/** Rows of pools that are in the configuration no more: nobody asks their providers any longer. */
const tellForgotten = async ({ instances, pools, logger }: Deps): Promise<void> => {
  const known = new Set(pools.map(({ name }) => name));
  const forgotten = (await instances.list()).filter(
    ({ pool, condition }) => !known.has(pool) && condition !== 'ended',
  );
  if (forgotten.length === 0) return;
  const data = { instances: forgotten.map(({ pool, workerId }) => `${pool}/${workerId}`) };
  logger.error('scaling.pool-unknown', data);
};

/**
 * Scales every pool once. Safe to run twice at the same time.
 * @throws PipelineError `scaling.incomplete` when a pool failed, once all others were seen to
 */
export const scalePools = async (deps: Deps): Promise<readonly PoolReport[]> => {
  const startedAt = deps.clock.now();
  const readings = await readPools(deps);
  const settled = await Promise.allSettled(readings.map((reading) => scalePool(reading, startedAt, deps)));
  await tellForgotten(deps);
  const failed = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  for (const error of failed) deps.logger.error('scaling.failed', { reason: String(error) });
  if (failed.length > 0)
    throw new PipelineError('scaling.incomplete', `${failed.length} pools failed`, {
      retryable: true,
      cause: failed[0],
    });
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
};
