/** Outputs as pushes and the task API describe them. */
import type { MissingOutput, StoredOutput } from '../../shared-types/index.ts';
import { amountOf, countOf, fieldsOf, listOf, oneOf, textOf } from './guards.ts';

const KINDS = ['image', 'animated', 'video', 'audio', 'model', 'text', 'file'] as const;
/** A ComfyUI batch may hold 4,096 pictures; more in one message is not ours. */
const MAX_OUTPUTS = 10_000;

/** The task API writes the same fields in snake_case. */
type Spelling = Readonly<Record<'outputId' | 'nodeId' | 'outputKey' | 'mimeType', string>>;
const PUSH: Spelling = {
  outputId: 'outputId',
  nodeId: 'nodeId',
  outputKey: 'outputKey',
  mimeType: 'mimeType',
};
const TASK: Spelling = {
  outputId: 'output_id',
  nodeId: 'node_id',
  outputKey: 'output_key',
  mimeType: 'mime_type',
};

const readOutput =
  (spelling: Spelling) =>
  (value: unknown): StoredOutput | undefined => {
    const fields = fieldsOf(value);
    const outputId = textOf(fields?.[spelling.outputId]);
    const src = textOf(fields?.['src']);
    if (fields === undefined || outputId === undefined || src === undefined) return undefined;
    return {
      outputId,
      src,
      nodeId: textOf(fields[spelling.nodeId]) ?? '',
      outputKey: textOf(fields[spelling.outputKey]) ?? '',
      index: countOf(fields['index']) ?? 0,
      kind: oneOf(KINDS, fields['kind']) ?? 'file',
      mimeType: textOf(fields[spelling.mimeType]) ?? 'application/octet-stream',
      size: amountOf(fields['size']) ?? 0,
      filename: textOf(fields['filename']) ?? 'output',
    };
  };

const readMissing =
  (spelling: Spelling) =>
  (value: unknown): MissingOutput | undefined => {
    const fields = fieldsOf(value);
    if (fields === undefined) return undefined;
    return {
      nodeId: textOf(fields[spelling.nodeId]) ?? '',
      outputKey: textOf(fields[spelling.outputKey]) ?? '',
      index: countOf(fields['index']) ?? 0,
      filename: textOf(fields['filename']) ?? 'output',
      error: textOf(fields['error']) ?? 'could not be stored',
    };
  };

export const readPushOutputs = (value: unknown): StoredOutput[] =>
  listOf(value, readOutput(PUSH), MAX_OUTPUTS);
export const readPushMissing = (value: unknown): MissingOutput[] =>
  listOf(value, readMissing(PUSH), MAX_OUTPUTS);
export const readTaskOutputs = (value: unknown): StoredOutput[] =>
  listOf(value, readOutput(TASK), MAX_OUTPUTS);
export const readTaskMissing = (value: unknown): MissingOutput[] =>
  listOf(value, readMissing(TASK), MAX_OUTPUTS);
