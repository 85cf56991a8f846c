/**
 * Jobs of this page that another one took the place of in the panel: they are still looked after. The same store as
 * the panel's follows each of them to its end, so that the same is tried when one fails.
 */
import type { PipelineClient } from '../../client/client-contract.ts';
import type { TaskSubmission } from '../../client/task-api.ts';
import { createGenerationStore } from '../../react/generation-store.ts';
import { isBusy, type FailurePolicy } from '../../react/generation-view.ts';

export interface EarlierJobs {
  /** Follows it until it has ended; a second time is the same as once. */
  lookAfter(jobId: string): void;
}

export interface EarlierJobsOptions {
  readonly client: PipelineClient;
  readonly policy: FailurePolicy;
  readonly submissionOf: (jobId: string) => Promise<TaskSubmission>;
  /** A job was submitted in place of one that failed. */
  readonly onFollowUp: (failed: string, next: string) => void;
}

export const createEarlierJobs = (options: EarlierJobsOptions): EarlierJobs => {
  const { client, policy, submissionOf, onFollowUp } = options;
  const kept = new Set<string>();
  const lookAfter = (first: string): void => {
    if (kept.has(first)) return;
    kept.add(first);
    const store = createGenerationStore({ client, onFailure: policy, submissionOf });
    let current = first;
    const leave = store.subscribe(() => {
      const { jobId, status } = store.getSnapshot();
      if (jobId !== null && jobId !== current) {
        onFollowUp(current, jobId);
        current = jobId;
      }
      // Where something is tried in its place, a failure is never shown as the end.
      if (isBusy(status) || status === 'idle') return;
      leave();
      kept.delete(first);
    });
    store.resume(first);
  };
  return { lookAfter };
};
