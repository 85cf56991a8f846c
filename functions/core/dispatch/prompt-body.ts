/** The body of POST /prompt. */
import type { Job } from '../job.ts';

export interface PromptIdentity {
  readonly promptId: string;
  readonly clientId: string;
  readonly attempt: number;
}

/**
 * The workflow is put in as the text that was submitted: a seed of 18446744073709551615 does not survive
 * JSON.parse. `extra_data` lets a restarted monitor read back from /queue and /history whose prompt it is.
 */
export const promptBody = (job: Job, workflowText: string, identity: PromptIdentity): string => {
  const { promptId, clientId, attempt } = identity;
  const extraData = { jobId: job.jobId, userId: job.userId, sessionId: job.sessionId, attempt };
  const rest = { client_id: clientId, prompt_id: promptId, extra_data: extraData };
  return `${JSON.stringify(rest).slice(0, -1)},"prompt":${workflowText}}`;
};
