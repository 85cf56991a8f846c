/** The workflow that a submission names, from wherever it is. */
import { buffer } from 'node:stream/consumers';
import { MAX_WORKFLOW_BYTES, storedWorkflowIdSchema } from '../../../shared-types/index.ts';
import type { StoredWorkflowStore, UploadStore } from '../ports.ts';
import { quoted } from '../workflow/one-line.ts';
import { decodeText } from './decode-body.ts';
import type { WorkflowSource } from './parse-submission.ts';
import { readJson } from './read-json.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface FindDependencies {
  readonly uploads: UploadStore;
  readonly storedWorkflows: StoredWorkflowStore;
}

export interface FoundWorkflow {
  readonly kind: 'ok';
  /** As lossless-json read it. */
  readonly value: unknown;
  readonly text: string;
  /** Name → target, not checked against the workflow; undefined when there are none. */
  readonly parameters: unknown;
}

const parsed = (text: string, what: string, parameters?: unknown): FoundWorkflow | Refusal => {
  const read = readJson(text, what);
  return read.kind === 'refused' ? read : { kind: 'ok', value: read.value, text, parameters };
};

export const notArrived = (what: string): Refusal =>
  refuse(404, `${what}: there is no such file of yours; PUT its bytes to the upload_url, then repeat this`);

const uploaded = async (
  userId: string,
  fileId: string,
  { uploads }: FindDependencies,
): Promise<FoundWorkflow | Refusal> => {
  const found = await uploads.find(userId, fileId);
  if (found === undefined) return notArrived('payload_file_id');
  if (found.size > MAX_WORKFLOW_BYTES) return refuse(413, 'payload_file_id: a workflow may have 10 MB');
  const opened = await uploads.open(found.key);
  if (opened === undefined) return notArrived('payload_file_id');
  if (opened.size > MAX_WORKFLOW_BYTES) {
    opened.body.destroy();
    return refuse(413, 'payload_file_id: a workflow may have 10 MB');
  }
  const decoded = decodeText(await buffer(opened.body), 'the file of payload_file_id');
  return decoded.kind === 'refused' ? decoded : parsed(decoded.text, 'the file of payload_file_id');
};

const NO_WORKFLOW =
  'send the workflow as payload or payload_file_id, or name one kept with PUT /api/v1/workflows/{id} in workflow_id';

const stored = async (
  userId: string,
  workflowId: string,
  { storedWorkflows }: FindDependencies,
): Promise<FoundWorkflow | Refusal> => {
  const workflow = storedWorkflowIdSchema.safeParse(workflowId).success
    ? await storedWorkflows.get(userId, workflowId)
    : undefined;
  if (workflow === undefined) {
    return refuse(400, `payload is missing, and you keep no workflow ${quoted(workflowId)}; ${NO_WORKFLOW}`);
  }
  return parsed(workflow.workflowText, 'the stored workflow', workflow.parameters);
};

export const findWorkflow = async (
  source: WorkflowSource,
  userId: string,
  deps: FindDependencies,
): Promise<FoundWorkflow | Refusal> => {
  switch (source.kind) {
    case 'inline':
      return { kind: 'ok', value: source.value, text: source.text, parameters: undefined };
    case 'file':
      return uploaded(userId, source.fileId, deps);
    case 'stored':
      return stored(userId, source.workflowId, deps);
  }
};
