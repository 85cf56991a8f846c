/** Accepts a task from a request body. */
import {
  acceptTask,
  repeated,
  type AcceptDependencies,
  type Accepted,
  type TaskDraft,
} from './accept-task.ts';
import { findFiles, type FilesDependencies } from './find-files.ts';
import { findWorkflow, type FindDependencies } from './find-workflow.ts';
import { identify, readIdempotencyKey, type IdempotencyDependencies } from './idempotency.ts';
import type { JobRequest } from './new-job.ts';
import { checkOutboundUrl } from './outbound-url.ts';
import { parseSubmission, type Submission } from './parse-submission.ts';
import { checkPods, type PodCheckDependencies } from './pod-check.ts';
import { prepareWorkflow } from './prepare-workflow.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface SubmitDependencies
  extends
    AcceptDependencies,
    FindDependencies,
    FilesDependencies,
    IdempotencyDependencies,
    Omit<PodCheckDependencies, 'clock'> {}

/** A task that is good, but for its id. */
type Draft = Omit<TaskDraft, 'request'> & { readonly request: Omit<JobRequest, 'jobId' | 'requestHash'> };

export interface SubmitRequest {
  readonly userId: string;
  /** The decoded body. */
  readonly text: string;
  readonly idempotencyKey: string | undefined;
}

const readCallback = (
  { fields: { callback_url: url } }: Submission,
  { outboundPolicy }: SubmitDependencies,
): { readonly kind: 'ok'; readonly url: string | null } | Refusal => {
  if (url === undefined) return { kind: 'ok', url: null };
  const check = checkOutboundUrl(url, outboundPolicy);
  return check.kind === 'ok' ? check : refuse(400, `callback_url: ${check.reason}`);
};

const draftOf = async (
  submission: Submission,
  userId: string,
  deps: SubmitDependencies,
): Promise<{ readonly kind: 'ok'; readonly draft: Draft } | Refusal> => {
  const { fields, source, inputs } = submission;
  const callback = readCallback(submission, deps);
  if (callback.kind === 'refused') return callback;
  const found = await findWorkflow(source, userId, deps);
  if (found.kind === 'refused') return found;
  const prepared = prepareWorkflow(found, inputs);
  if (prepared.kind === 'refused') return prepared;
  const files = await findFiles(prepared.files, userId, deps);
  if (files.kind === 'refused') return files;
  const unfit = await checkPods(prepared.workflow, deps);
  if (unfit !== undefined) return unfit;
  const request = {
    userId,
    sessionId: fields.session_id,
    workflowId: fields.workflow_id,
    priority: fields.priority,
    maxRetries: fields.max_retries,
    timeoutSeconds: fields.timeout_seconds,
    needs: { ...prepared.needs, tags: [...new Set(fields.tags)].sort() },
    fileCount: files.files.length,
    callbackUrl: callback.url,
    retryOf: null,
  };
  return { kind: 'ok', draft: { request, workflowText: prepared.workflowText, files: files.files } };
};

/** POST /api/v1/tasks. A repetition under the same Idempotency-Key answers the first task, whatever has changed since. */
export const submitTask = async (
  { userId, text, idempotencyKey }: SubmitRequest,
  deps: SubmitDependencies,
): Promise<Accepted> => {
  const key = readIdempotencyKey(idempotencyKey, userId, ['submit', text]);
  if (key?.kind === 'refused') return key;
  const earlier = key === undefined ? undefined : await repeated(key, deps);
  if (earlier !== undefined) return earlier;
  const submission = parseSubmission(text);
  if (submission.kind === 'refused') return submission;
  const drafted = await draftOf(submission, userId, deps);
  if (drafted.kind === 'refused') return drafted;
  // Not before: a request that is refused leaves its key free.
  const identified = await identify(key, deps);
  if (identified.kind === 'refused') return identified;
  const { draft } = drafted;
  return acceptTask({ ...draft, request: { ...identified.identity, ...draft.request } }, deps);
};
