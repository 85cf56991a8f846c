/** The reaper: the leases that stand on the instances themselves, enforced with the providers alone. */
import { PipelineError } from '../errors.ts';
import type { ProviderInstance } from '../providers/worker-provider.ts';
import type { PoolConfig } from './pool-config.ts';
import type { ReapDependencies } from './ports.ts';
import { answered, listPool, type ListedInstance } from './provider-pool.ts';

export interface ReapReport {
  /** Instances that were seen. */
  readonly seen: number;
  readonly terminated: readonly string[];
  /** Instances that should be gone and could not be terminated, and providers that could not be asked. */
  readonly failures: readonly string[];
}

/** A lease that does not read is over. What failed or stopped does no work and may still cost. */
const whyReap = ({ state, leaseUntil }: ProviderInstance, now: number): string | undefined => {
  if (!(Date.parse(leaseUntil) > now)) return state === 'stopping' ? undefined : 'leaseEnd';
  return state === 'failed' || state === 'stopped' ? state : undefined;
};

const reapInstance = async (
  { providerId, found }: ListedInstance,
  reason: string,
  { pool, deps }: { readonly pool: PoolConfig; readonly deps: ReapDependencies },
): Promise<boolean> => {
  const provider = deps.providers.get(pool.name)?.get(providerId);
  if (provider === undefined) return false;
  const { workerId, instanceId, leaseUntil } = found;
  const answer = await answered(provider.terminate(instanceId));
  const data = { pool: pool.name, providerId, workerId, instanceId, leaseUntil, reason };
  if (answer.kind === 'terminated' || answer.kind === 'absent') {
    deps.logger.warn('reap.terminated', data);
    return true;
  }
  deps.logger.error('reap.failed', { ...data, kind: answer.kind, message: answer.message });
  return false;
};

const reapPool = async (pool: PoolConfig, deps: ReapDependencies): Promise<ReapReport> => {
  const { listed, unknown } = await listPool(pool, deps);
  const now = deps.clock.now();
  const terminated: string[] = [];
  const failures = [...unknown].map((providerId) => `${pool.name}/${providerId}`);
  for (const each of listed) {
    const reason = whyReap(each.found, now);
    if (reason === undefined) continue;
    const isGone = await reapInstance(each, reason, { pool, deps });
    (isGone ? terminated : failures).push(each.found.instanceId);
  }
  return { seen: listed.length, terminated, failures };
};

/**
 * Terminates every instance whose lease is over, that failed or that stopped. It reads no table and no queue, so that
 * it works while all else is down; a provider that fails keeps no other from being reaped.
 * @throws PipelineError `reap.incomplete`, once all others were seen to, so that it is counted and repeated
 */
export const reapPools = async (deps: ReapDependencies): Promise<ReapReport> => {
  const reports = await Promise.all(deps.pools.map((pool) => reapPool(pool, deps)));
  const report = {
    seen: reports.reduce((sum, { seen }) => sum + seen, 0),
    terminated: reports.flatMap(({ terminated }) => terminated),
    failures: reports.flatMap(({ failures }) => failures),
  };
  deps.logger.info('reap.pass', { seen: report.seen, terminated: report.terminated.length });
  if (report.failures.length === 0) return report;
  const message = `not reaped: ${report.failures.join(', ')}`;
  throw new PipelineError('reap.incomplete', message, { retryable: true });
};
