/** The history of a prompt, waited for: ComfyUI says "success" before it writes it. */
import type { HistoryEntry } from '../../shared-types/index.ts';
import { PipelineError } from '../core/errors.ts';
import type { HistoryLookup } from '../core/ports.ts';
import type { CompletionDependencies } from './dependencies.ts';

const FIRST_WAIT_MS = 50;
const MAX_WAIT_MS = 2000;
const PATIENCE_MS = 30_000;

/**
 * Undefined when ComfyUI answers that it has none, after half a minute.
 * @throws PipelineError `worker.unreachable` (retryable) when it does not answer for as long
 */
export const readHistory = async (
  endpoint: string,
  promptId: string,
  { comfyUi, clock }: Pick<CompletionDependencies, 'comfyUi' | 'clock'>,
): Promise<HistoryEntry | undefined> => {
  const deadline = clock.now() + PATIENCE_MS;
  let last: HistoryLookup;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, MAX_WAIT_MS)) {
    last = await comfyUi.history(endpoint, promptId);
    if (last.kind === 'found') return last.entry;
    if (clock.now() + wait > deadline) break;
    await clock.sleep(wait);
  }
  if (last.kind === 'absent') return undefined;
  throw new PipelineError('worker.unreachable', last.message, { retryable: true });
};
