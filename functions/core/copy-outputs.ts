/** Copies the outputs of a node or of a whole history to the media store. */
import type { NodeOutputs, OutputFile } from '../../shared-types/index.ts';
import type { JobOutputs } from './job.ts';
import {
  storeFile,
  storeText,
  type CopyTarget,
  type OutputResult,
  type StoreDependencies,
} from './store-output.ts';

const CONCURRENCY = 4;

/** A file that was announced may come a little later; this long after the copy began it will not. */
export const MISSING_AFTER_MS = 5000;

/** `type: temp` are previews: only when asked. `type: input` are what the user gave. */
export const isWanted = ({ type }: OutputFile, storeTemp: boolean): boolean =>
  type !== 'input' && (type !== 'temp' || storeTemp);

/** Runs the tasks, at most `limit` at once, and keeps their order. After a failure no further one begins. */
const runAll = async <T>(tasks: readonly (() => Promise<T>)[], limit: number): Promise<T[]> => {
  const results: T[] = [];
  const left = tasks.entries();
  let failure: { readonly error: unknown } | undefined;
  const work = async (): Promise<void> => {
    for (const [index, task] of left) {
      if (failure !== undefined) return;
      try {
        results[index] = await task();
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
  if (failure !== undefined) throw failure.error;
  return results;
};

/**
 * Copies every wanted file and every text, four at once, in the order of the history.
 * @throws PipelineError (retryable) when the worker or the store cannot be reached; what was stored stays
 */
export const copyOutputs = async (
  { files, texts }: Pick<NodeOutputs, 'files' | 'texts'>,
  target: Omit<CopyTarget, 'missingAfter'>,
  deps: StoreDependencies & { readonly storeTempOutputs: boolean },
): Promise<JobOutputs> => {
  const full: CopyTarget = { ...target, missingAfter: deps.clock.now() + MISSING_AFTER_MS };
  const wanted = files.filter((file) => isWanted(file, deps.storeTempOutputs));
  const results = await runAll<OutputResult>(
    [
      ...wanted.map((file) => () => storeFile(file, full, deps)),
      ...texts.map((text) => () => storeText(text, full, deps)),
    ],
    CONCURRENCY,
  );
  return {
    outputs: results.flatMap((result) => (result.kind === 'stored' ? [result.output] : [])),
    missingOutputs: results.flatMap((result) => (result.kind === 'missing' ? [result.output] : [])),
  };
};
