/** From what was sent to what will run: parameters applied, checked, and with what it needs of a worker. */
import { MAX_WORKFLOW_BYTES } from '../../../shared-types/index.ts';
import type { JobNeeds } from '../job.ts';
import { checkFileNames } from '../workflow/file-names.ts';
import { needsOf } from '../workflow/needs.ts';
import { applyInputs, parseParameters, type FileInput } from '../workflow/parameters.ts';
import { parseWorkflow, type Workflow } from '../workflow/workflow.ts';
import type { FoundWorkflow } from './find-workflow.ts';
import { readJson } from './read-json.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface PreparedWorkflow {
  readonly kind: 'ok';
  readonly workflow: Workflow;
  readonly workflowText: string;
  readonly files: readonly FileInput[];
  readonly needs: Omit<JobNeeds, 'tags'>;
}

/** Bytes of the names of classes and models: they stand in the job and in its queue entry. */
const MAX_NEEDS_BYTES = 64 * 1024;

const readWorkflow = (value: unknown): { readonly kind: 'ok'; readonly workflow: Workflow } | Refusal => {
  const read = parseWorkflow(value);
  return read.kind === 'ok' ? read : refuse(400, read.message, read.nodeErrors);
};

const reread = (text: string): { readonly kind: 'ok'; readonly workflow: Workflow } | Refusal => {
  const read = readJson(text, 'the workflow');
  return read.kind === 'refused' ? read : readWorkflow(read.value);
};

export const prepareWorkflow = (
  found: FoundWorkflow,
  inputs: ReadonlyMap<string, unknown>,
): PreparedWorkflow | Refusal => {
  const asSent = readWorkflow(found.value);
  if (asSent.kind === 'refused') return asSent;
  const parameters = parseParameters(found.parameters, asSent.workflow);
  if (parameters.kind === 'invalid') return refuse(400, parameters.message);
  const applied = applyInputs(found.text, inputs, parameters.parameters);
  if (applied.kind === 'invalid') return refuse(400, `inputs: ${applied.message}`);
  const { workflowText, files } = applied;
  if (Buffer.byteLength(workflowText) > MAX_WORKFLOW_BYTES) {
    return refuse(413, 'the workflow is larger than 10 MB; upload what is embedded in it and use inputs');
  }
  const final = inputs.size === 0 ? asSent : reread(workflowText);
  if (final.kind === 'refused') return final;
  const names = checkFileNames(final.workflow);
  if (names.count > 0) return refuse(400, names.message(), names.toNodeErrors());
  const needs = needsOf(final.workflow);
  if (Buffer.byteLength(JSON.stringify(needs)) > MAX_NEEDS_BYTES) {
    return refuse(413, 'the workflow names more node classes and models than fit into 64 KB');
  }
  return { kind: 'ok', workflow: final.workflow, workflowText, files, needs };
};
