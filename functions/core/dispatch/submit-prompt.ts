/** Files, then POST /prompt: what became of it. */
import type { Expected } from '../estimate/expectations.ts';
import { expectPrompt } from '../estimate/expect-prompt.ts';
import { UNKNOWN_KIND } from '../estimate/worker-kind.ts';
import type { Job } from '../job.ts';
import type { JobFile, PromptSubmission } from '../ports.ts';
import type { Worker } from '../worker.ts';
import type { DispatchDependencies } from './ports.ts';
import { promptBody } from './prompt-body.ts';
import { uploadFiles, type FilledWorkflow } from './upload-files.ts';

/** Undefined when it is gone from the store. */
export interface StoredPrompt {
  readonly workflowText: string | undefined;
  readonly files: readonly JobFile[] | undefined;
}

/** `choked`: a 5xx from a worker that is well otherwise and has not the prompt, so that the workflow is suspect. */
export type SubmitOutcome =
  | PromptSubmission
  | Extract<FilledWorkflow, { kind: 'sourceUnavailable' }>
  | { readonly kind: 'choked'; readonly message: string };

type UnknownOutcome = Extract<PromptSubmission, { kind: 'unknown' }>;

/**
 * A POST whose outcome is unknown may have been queued (ComfyUI can answer 500 and run it): look the id up.
 * Absent is answered as a failed dispatch, which the retry policy repeats under a new prompt_id.
 */
const settleUnknown = async (
  job: Job,
  worker: Worker,
  unknown: UnknownOutcome,
  deps: DispatchDependencies,
): Promise<SubmitOutcome> => {
  const { message, httpStatus = 0 } = unknown;
  const found = await deps.comfyUi.findPrompt(worker.endpoint, job.promptId ?? '');
  const { jobId } = job;
  deps.logger.warn('dispatch.unknown-outcome', { jobId, workerId: worker.workerId, message, found });
  if (found === 'absent' && httpStatus >= 500) return { kind: 'choked', message };
  if (found === 'absent' || found === 'unreachable') return unknown;
  return { kind: 'accepted', droppedNodes: [] };
};

const expectationsOf = async (
  { jobId }: Job,
  { kind = UNKNOWN_KIND }: Worker,
  workflowText: string,
  { profiles, logger }: DispatchDependencies,
): Promise<Expected | undefined> =>
  profiles === undefined ? undefined : expectPrompt(jobId, workflowText, kind, { profiles, logger });

const post = async (
  job: Job,
  worker: Worker,
  workflowText: string,
  deps: DispatchDependencies,
): Promise<SubmitOutcome> => {
  const identity = { promptId: job.promptId ?? '', clientId: worker.clientId, attempt: job.attempt };
  const expected = await expectationsOf(job, worker, workflowText, deps);
  const body = promptBody(job, workflowText, identity, expected);
  const first = await deps.comfyUi.submitPrompt(worker.endpoint, body);
  return first.kind === 'unknown' ? settleUnknown(job, worker, first, deps) : first;
};

const GONE = 'the stored workflow is gone; submit the task again';

export const submitPrompt = async (
  job: Job,
  worker: Worker,
  { workflowText, files }: StoredPrompt,
  deps: DispatchDependencies,
): Promise<SubmitOutcome> => {
  if (workflowText === undefined || files === undefined) return { kind: 'rejected', message: GONE };
  if (files.length === 0) return post(job, worker, workflowText, deps);
  const filled = await uploadFiles(files, workflowText, job, worker, deps);
  return filled.kind === 'ready' ? post(job, worker, filled.workflowText, deps) : filled;
};
