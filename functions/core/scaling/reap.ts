/** The reaper: the leases that stand on the instances themselves, enforced with the providers alone. */
import { PipelineError } from '../errors.ts';
import type { ListAnswer, ProviderInstance, WorkerProvider } from '../providers/worker-provider.ts';
import type { ReapDependencies } from './ports.ts';
import { answered, tellListFailed } from './provider-pool.ts';

type Reached = readonly [id: string, provider: WorkerProvider];

export interface ReapReport {
  /** Instances that were seen. */
  readonly seen: number;
  readonly terminated: readonly string[];
  /** Instances that could not be terminated, providers that could not be asked, and what is wrong in the configuration. */
  readonly failures: readonly string[];
}

/** A lease that does not read is over. What failed or stopped does no work and may still cost. */
const whyReap = ({ state, leaseUntil }: ProviderInstance, now: number): string | undefined => {
  if (!(Date.parse(leaseUntil) > now)) return state === 'stopping' ? undefined : 'leaseEnd';
  return state === 'failed' || state === 'stopped' ? state : undefined;
};

const reapInstance = async (
  found: ProviderInstance,
  reason: string,
  [providerId, provider]: Reached,
  { logger }: ReapDependencies,
): Promise<boolean> => {
  const { pool, workerId, instanceId, leaseUntil } = found;
  const answer = await answered(provider.terminate(instanceId));
  const data = { pool, providerId, workerId, instanceId, leaseUntil, reason };
  if (answer.kind === 'terminated' || answer.kind === 'absent') {
    logger.warn('reap.terminated', data);
    return true;
  }
  logger.error('reap.failed', { ...data, kind: answer.kind, message: answer.message });
  return false;
};

const reapProvider = async (reached: Reached, deps: ReapDependencies): Promise<ReapReport> => {
  const [providerId, provider] = reached;
  const answer: ListAnswer = await answered(provider.listStage(deps.stage));
  if (answer.kind !== 'listed') {
    tellListFailed(answer, { providerId }, deps.logger);
    return { seen: 0, terminated: [], failures: [providerId] };
  }
  const now = deps.clock.now();
  const terminated: string[] = [];
  const failures: string[] = [];
  for (const found of answer.instances) {
    const reason = whyReap(found, now);
    if (reason === undefined) continue;
    const isGone = await reapInstance(found, reason, reached, deps);
    (isGone ? terminated : failures).push(found.instanceId);
  }
  return { seen: answer.instances.length, terminated, failures };
};

/**
 * Terminates every instance of the stage whose lease is over, that failed or that stopped, whichever pool launched it
 * and whether that pool is configured still. It reads no table and no queue, so that it works while all else is down; a
 * provider that fails keeps no other from being reaped.
 * @throws PipelineError `reap.incomplete`, once all others were seen to, so that it is counted and repeated
 */
export const reapStage = async (deps: ReapDependencies): Promise<ReapReport> => {
  const reports = await Promise.all([...deps.reached].map((reached) => reapProvider(reached, deps)));
  const report = {
    seen: reports.reduce((sum, { seen }) => sum + seen, 0),
    terminated: reports.flatMap(({ terminated }) => terminated),
    failures: [...deps.problems, ...reports.flatMap(({ failures }) => failures)],
  };
  deps.logger.info('reap.pass', { seen: report.seen, terminated: report.terminated.length });
  if (report.failures.length === 0) return report;
  const message = `not reaped: ${report.failures.join(', ')}`;
  throw new PipelineError('reap.incomplete', message, { retryable: true });
};
