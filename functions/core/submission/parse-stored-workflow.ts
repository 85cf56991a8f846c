/** Reads the body of PUT /api/v1/workflows/{id}. The workflow stays text. */
import { stringify } from 'lossless-json';
import { MAX_ESCAPED_WORKFLOW_BYTES } from '../../../shared-types/index.ts';
import type { StoredWorkflow } from '../ports.ts';
import { ownValue, type JsonObject } from '../workflow/json-value.ts';
import { parseParameters, type ParameterTarget } from '../workflow/parameters.ts';
import { parseWorkflow } from '../workflow/workflow.ts';
import { readObject } from './read-json.ts';
import { refuse, type Refusal } from './refusal.ts';

export type StoredWorkflowBody = {
  readonly kind: 'ok';
} & Pick<StoredWorkflow, 'workflowText' | 'parameters'>;

/** Bytes of all parameters as JSON: they stand in one item of the table. */
const MAX_PARAMETERS_BYTES = 64 * 1024;

const targetText = (target: ParameterTarget): string | readonly string[] => {
  const paths = target.map(({ nodeId, input }) => `${nodeId}.inputs.${input}`);
  return paths.length === 1 ? (paths[0] ?? '') : paths;
};

/** As they were checked, not as they were sent: what is stored is what was understood. */
const parametersOf = (
  parameters: ReadonlyMap<string, ParameterTarget>,
): Readonly<Record<string, string | readonly string[]>> =>
  Object.fromEntries([...parameters].map(([name, target]) => [name, targetText(target)]));

const checkSize = (workflowText: string, parameters: object): Refusal | undefined => {
  if (Buffer.byteLength(JSON.stringify(parameters)) > MAX_PARAMETERS_BYTES) {
    return refuse(413, 'parameters are larger than 64 KB; name fewer');
  }
  if (Buffer.byteLength(JSON.stringify(workflowText)) > MAX_ESCAPED_WORKFLOW_BYTES) {
    return refuse(413, 'workflow is larger than 5 MB; upload what is embedded in it and set it by inputs');
  }
  return undefined;
};

const readWorkflow = (body: JsonObject): StoredWorkflowBody | Refusal => {
  const value = ownValue(body, 'workflow');
  if (value === undefined) return refuse(400, 'workflow is missing; send the workflow in API format there');
  const read = parseWorkflow(value);
  if (read.kind === 'invalid') return refuse(400, read.message, read.nodeErrors);
  const named = parseParameters(ownValue(body, 'parameters'), read.workflow);
  if (named.kind === 'invalid') return refuse(400, named.message);
  const workflowText = stringify(value) ?? '{}';
  const parameters = parametersOf(named.parameters);
  return checkSize(workflowText, parameters) ?? { kind: 'ok', workflowText, parameters };
};

/** @param text the decoded body */
export const parseStoredWorkflow = (text: string): StoredWorkflowBody | Refusal => {
  const read = readObject(text, 'workflow and parameters');
  return read.kind === 'refused' ? read : readWorkflow(read.body);
};
