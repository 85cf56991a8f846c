/** Outputs as pushes and the task API describe them: the same fields, there in camelCase and here in snake_case. */
import type { MissingOutput, StoredOutput } from '../../shared-types/index.ts';
import {
  amountOf,
  countOrZero,
  listOf,
  objectOf,
  or,
  snakeCase,
  textOrEmpty,
  textOf,
  word,
  type Shape,
} from './guards.ts';

/** A ComfyUI batch may hold 4,096 pictures; more in one message is not ours. */
const MAX_OUTPUTS = 10_000;

const place = { nodeId: textOrEmpty, outputKey: textOrEmpty, index: countOrZero };
const filename = or(textOf, 'output');

const output: Shape<StoredOutput> = {
  outputId: textOf,
  src: textOf,
  ...place,
  kind: word('file'),
  mimeType: or(textOf, 'application/octet-stream'),
  size: or(amountOf, 0),
  filename,
};
const missing: Shape<MissingOutput> = { ...place, filename, error: textOrEmpty };

export const readPushOutputs = listOf(objectOf(output), MAX_OUTPUTS);
export const readTaskOutputs = listOf(objectOf(output, snakeCase), MAX_OUTPUTS);
export const readPushMissing = listOf(objectOf(missing), MAX_OUTPUTS);
export const readTaskMissing = listOf(objectOf(missing, snakeCase), MAX_OUTPUTS);
