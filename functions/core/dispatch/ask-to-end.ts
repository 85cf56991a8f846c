/** Ends a prompt in a ComfyUI that nobody may be there to tell of, and looks whether it obeyed. */
import type { PromptLookup } from '../ports.ts';
import type { Worker } from '../worker.ts';
import type { DispatchDependencies } from './ports.ts';

/** What has become of it, a moment after it was asked: an interruption may take effect later. */
export const askToEnd = async (
  { endpoint }: Pick<Worker, 'endpoint'>,
  promptId: string,
  { comfyUi, hastyComfyUi = comfyUi }: Pick<DispatchDependencies, 'comfyUi' | 'hastyComfyUi'>,
): Promise<PromptLookup> => {
  if ((await hastyComfyUi.endPrompt(endpoint, promptId)) === 'unreachable') return 'unreachable';
  return hastyComfyUi.findPrompt(endpoint, promptId);
};
