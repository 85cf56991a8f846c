/** The pools of a function's environment. */
import { PipelineError } from '../errors.ts';
import { readPools, type PoolConfig } from './pool-config.ts';

/**
 * @param raw `WORKER_POOLS`
 * @throws PipelineError `pools.invalid` (a defect: the function cannot start), one line a problem
 */
export const requirePools = (raw: string): readonly PoolConfig[] => {
  const reading = readPools(raw);
  if (reading.kind === 'ok') return reading.pools;
  throw new PipelineError('pools.invalid', reading.problems.join('\n'), { retryable: false });
};
