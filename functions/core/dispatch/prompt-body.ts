/** The body of POST /prompt. */
import type { Expected } from '../estimate/expectations.ts';
import type { Job } from '../job.ts';

export interface PromptIdentity {
  readonly promptId: string;
  readonly clientId: string;
  readonly attempt: number;
}

/**
 * The workflow is put in as the text that was submitted: a seed of 18446744073709551615 does not survive
 * JSON.parse. `extra_data` lets a restarted monitor read back from /queue and /history whose prompt it is, and what it
 * is expected to take.
 */
export const promptBody = (
  job: Job,
  workflowText: string,
  identity: PromptIdentity,
  expected?: Expected,
): string => {
  const { promptId, clientId, attempt } = identity;
  const { jobId, userId, sessionId } = job;
  const extraData = { jobId, userId, sessionId, attempt, ...(expected === undefined ? {} : { expected }) };
  const rest = { client_id: clientId, prompt_id: promptId, extra_data: extraData };
  return `${JSON.stringify(rest).slice(0, -1)},"prompt":${workflowText}}`;
};
