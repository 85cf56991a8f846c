/** Why ComfyUI refused a workflow, in one line for the person who submitted it. */
import * as z from 'zod';
import { promptRejectedSchema, readComfyUiJson, type PromptRejected } from '../../../shared-types/index.ts';
import type { PromptSubmission } from '../../core/ports.ts';

type Rejection = Extract<PromptSubmission, { kind: 'rejected' }>;

const MAX_MESSAGE = 1000;
const MAX_NAME = 256;

/** Later releases say in `extra_info` which node they mean. */
const extraInfoSchema = z.looseObject({
  extra_info: z.looseObject({
    node_id: z.string().optional().catch(undefined),
    class_type: z.string().optional().catch(undefined),
  }),
});

/** One line; cut between characters, never inside one. */
export const oneLine = (text: string, maxLength: number): string => {
  // oxlint-disable-next-line no-control-regex -- control characters are just what must go
  const line = text.replaceAll(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  if (line.length <= maxLength) return line;
  return `${line.slice(0, maxLength - 1).replace(/[\ud800-\udbff]$/, '')}…`;
};

type NodeErrors = PromptRejected['node_errors'];

const withErrors = (nodeErrors: NodeErrors) =>
  Object.entries(nodeErrors).filter(([, { errors }]) => errors.length > 0);

const nodeLine = ([nodeId, { class_type: nodeType = 'node', errors }]: [
  string,
  NodeErrors[string],
]): string => {
  const reasons = errors.map(({ type, message, details }) =>
    [message === '' ? type : message, details].filter((part) => part !== '').join(': '),
  );
  return `${nodeType} (node ${nodeId}): ${reasons.join(', ')}`;
};

const nodeKeys = (nodeId: string | undefined, nodeType: string | undefined) => ({
  ...(nodeId === undefined ? {} : { nodeId: nodeId.slice(0, 512) }),
  ...(nodeType === undefined ? {} : { nodeType: nodeType.slice(0, MAX_NAME) }),
});

const rejectionOf = ({ error, node_errors: nodeErrors }: PromptRejected): Rejection => {
  const title = error.message === '' ? error.type : error.message;
  const nodes = withErrors(nodeErrors);
  const reasons =
    nodes.length > 0 ? nodes.map(nodeLine) : [error.details].filter((details) => details !== '');
  const extra = extraInfoSchema.safeParse(error).data?.extra_info;
  const first = nodes[0];
  return {
    kind: 'rejected',
    message: oneLine(reasons.length === 0 ? title : `${title}: ${reasons.join('; ')}`, MAX_MESSAGE),
    ...nodeKeys(first?.[0] ?? extra?.node_id, first?.[1].class_type ?? extra?.class_type),
  };
};

/** Reads the body of a refusal; one that does not read is still a refusal. */
export const readRejection = (status: number, body: string): Rejection => {
  if (status === 413)
    return { kind: 'rejected', message: 'the workflow is larger than this ComfyUI accepts' };
  const reading = readComfyUiJson(body);
  const read = promptRejectedSchema.safeParse(reading.kind === 'ok' ? reading.value : undefined);
  if (read.success) return rejectionOf(read.data);
  return { kind: 'rejected', message: `ComfyUI refused the workflow (HTTP ${status})` };
};
