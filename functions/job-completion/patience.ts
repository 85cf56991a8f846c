/** How long a worker is waited for that finished a prompt and then cannot be asked what it made. */
import { PipelineError } from '../core/errors.ts';
import type { Job } from '../core/job.ts';
import type { Clock } from '../core/ports.ts';

/** Of one delivery. */
const DELIVERY_MS = 30_000;
/**
 * Of all deliveries, from the first. Lambda repeats an event twice, after one minute and after two more: the last
 * delivery must come after this, or the job would stay running for ever.
 */
const HOPE_MS = 80_000;
const WAIT_MS = 2000;

const isWorkerTrouble = (error: unknown): error is PipelineError =>
  error instanceof PipelineError && (error.code === 'worker.unreachable' || error.code === 'worker.unknown');

/**
 * Repeats `work` while the worker cannot be reached.
 * @returns what `giveUp` answers once the job has waited too long
 * @throws what `work` throws: at once, or, about the worker, when this delivery has waited long enough
 */
export const withPatience = async <T>(
  job: Job,
  clock: Clock,
  work: () => Promise<T>,
  giveUp: (reason: string) => Promise<T>,
): Promise<T> => {
  const deliveryEnds = clock.now() + DELIVERY_MS;
  const hopeEnds = Date.parse(job.storingSince ?? job.updatedAt) + HOPE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isWorkerTrouble(error)) throw error;
      if (clock.now() >= hopeEnds) return giveUp(error.message);
      if (clock.now() >= deliveryEnds) throw error;
      await clock.sleep(WAIT_MS);
    }
  }
};
