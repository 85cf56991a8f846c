/** What to try after the GPU ran out of memory: the same workflow, smaller. */
import { fieldsOf, parseJson } from '../client/guards.ts';
import type { TaskSubmission } from '../client/task-api.ts';
import type { FailurePolicy } from './generation-view.ts';
import { withRawValue } from './json-text.ts';

/** Sizes in all: 1024, 768 and 576. */
const MAX_TRIES = 3;
/** Latent pictures are counted in blocks of 8 pixels. */
const BLOCK = 8;
const MIN_SIDE = 64;

/** Little more than half of the pixels, and still a picture of the kind that was asked for. */
const threeQuarters = (side: number): number => Math.max(MIN_SIDE, Math.floor((side * 0.75) / BLOCK) * BLOCK);

const smallerBy: Readonly<Record<string, (value: number) => number>> = {
  width: threeQuarters,
  height: threeQuarters,
  batch_size: (value) => Math.max(1, Math.floor(value / 2)),
};

interface Change {
  readonly path: readonly string[];
  readonly input: string;
  readonly before: number;
  readonly value: number;
}

const changesOf = (nodeId: string, node: unknown): Change[] => {
  const fields = fieldsOf(node);
  const type = fields?.['class_type'];
  if (typeof type !== 'string' || !/^Empty\w*Latent/.test(type)) return [];
  // What is linked to another node is a list here, and stays.
  return Object.entries(fieldsOf(fields?.['inputs']) ?? {}).flatMap(([input, value]) => {
    const smaller =
      typeof value === 'number' && Object.hasOwn(smallerBy, input) ? smallerBy[input]?.(value) : undefined;
    return smaller === undefined || !(smaller < Number(value))
      ? []
      : [{ path: [nodeId, 'inputs', input], input, before: Number(value), value: smaller }];
  });
};

const wordsOf = (changes: readonly Change[], of: 'before' | 'value'): string => {
  const valueOf = (name: string): number | undefined => changes.find(({ input }) => input === name)?.[of];
  const [width, height, batch] = [valueOf('width'), valueOf('height'), valueOf('batch_size')];
  const size = width !== undefined && height !== undefined ? [`${width} × ${height}`] : [];
  const side =
    size.length > 0 ? [] : [width ?? height].filter((one) => one !== undefined).map((one) => `${one} px`);
  return [...size, ...side, ...(batch === undefined ? [] : [`batch of ${batch}`])].join(', ');
};

interface Smaller {
  readonly submission: TaskSubmission;
  /** In words, for example `1024 × 1024`. */
  readonly before: string;
  readonly after: string;
}

/**
 * The submission with three quarters of the width and height (in blocks of 8, at least 64 pixels) and half of the batch
 * of each empty latent; every other digit of the payload stays as it is. Undefined when nothing can be made smaller.
 */
export const withSmallerSize = (submission: TaskSubmission): Smaller | undefined => {
  const { payload } = submission;
  if (payload === undefined) return undefined;
  const nodes = Object.entries(fieldsOf(parseJson(payload)) ?? {});
  const changes = nodes.flatMap(([nodeId, node]) => changesOf(nodeId, node));
  if (changes.length === 0) return undefined;
  const smaller = changes.reduce((text, { path, value }) => withRawValue(text, path, `${value}`), payload);
  return {
    submission: { ...submission, payload: smaller },
    before: wordsOf(changes, 'before'),
    after: wordsOf(changes, 'value'),
  };
};

/** For `useGeneration({ onFailure })`: after `outOfMemory` up to three sizes in all, and nothing after anything else. */
export const retryWithSmallerSize: FailurePolicy = (error, tries, submission) => {
  if (error.reason !== 'outOfMemory' || tries >= MAX_TRIES) return undefined;
  const smaller = withSmallerSize(submission);
  if (smaller === undefined) return undefined;
  const { before, after } = smaller;
  const count = `size ${tries + 1} of ${MAX_TRIES}`;
  const note = `Out of memory at ${before}: trying again at ${after} (${count})`;
  return { ...smaller.submission, change: after, note };
};
