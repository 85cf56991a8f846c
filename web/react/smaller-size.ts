/** What to try after the GPU ran out of memory: the same workflow, smaller. */
import { fieldsOf, parseJson } from '../client/guards.ts';
import type { TaskSubmission } from '../client/task-api.ts';
import type { FailurePolicy } from './generation-view.ts';
import { withRawValue } from './json-text.ts';

/** 1024 → 128 is as far as it goes. */
const MAX_TRIES = 3;
/** Latent pictures are counted in blocks of 8 pixels. */
const BLOCK = 8;
const MIN_SIDE = 64;

const halved: Readonly<Record<string, (value: number) => number>> = {
  width: (value) => Math.max(MIN_SIDE, Math.floor(value / 2 / BLOCK) * BLOCK),
  height: (value) => Math.max(MIN_SIDE, Math.floor(value / 2 / BLOCK) * BLOCK),
  batch_size: (value) => Math.max(1, Math.floor(value / 2)),
};

interface Change {
  readonly path: readonly string[];
  readonly input: string;
  readonly value: number;
}

const changesOf = (nodeId: string, node: unknown): Change[] => {
  const fields = fieldsOf(node);
  const type = fields?.['class_type'];
  if (typeof type !== 'string' || !/^Empty\w*Latent/.test(type)) return [];
  // What is linked to another node is a list here, and stays.
  return Object.entries(fieldsOf(fields?.['inputs']) ?? {}).flatMap(([input, value]) => {
    const smaller =
      typeof value === 'number' && Object.hasOwn(halved, input) ? halved[input]?.(value) : undefined;
    return smaller === undefined || !(smaller < Number(value))
      ? []
      : [{ path: [nodeId, 'inputs', input], input, value: smaller }];
  });
};

const wordsOf = (changes: readonly Change[]): string => {
  const valueOf = (name: string): number | undefined => changes.find(({ input }) => input === name)?.value;
  const [width, height, batch] = [valueOf('width'), valueOf('height'), valueOf('batch_size')];
  const size = width !== undefined && height !== undefined ? [`${width} × ${height}`] : [];
  const side =
    size.length > 0 ? [] : [width ?? height].filter((one) => one !== undefined).map((one) => `${one} px`);
  return [...size, ...side, ...(batch === undefined ? [] : [`batch of ${batch}`])].join(', ');
};

/**
 * The submission with width, height and batch of each empty latent halved (to blocks of 8, at least 64 pixels); every
 * other digit of the payload stays as it is. Undefined when nothing can be made smaller.
 */
export const withSmallerSize = (
  submission: TaskSubmission,
): (TaskSubmission & { readonly change: string }) | undefined => {
  const { payload } = submission;
  if (payload === undefined) return undefined;
  const nodes = Object.entries(fieldsOf(parseJson(payload)) ?? {});
  const changes = nodes.flatMap(([nodeId, node]) => changesOf(nodeId, node));
  if (changes.length === 0) return undefined;
  const smaller = changes.reduce((text, { path, value }) => withRawValue(text, path, `${value}`), payload);
  return { ...submission, payload: smaller, change: wordsOf(changes) };
};

/** For `useGeneration({ onFailure })`: up to three times smaller after `outOfMemory`, and nothing after anything else. */
export const retryWithSmallerSize: FailurePolicy = (error, tries, submission) =>
  error.reason === 'outOfMemory' && tries <= MAX_TRIES ? withSmallerSize(submission) : undefined;
