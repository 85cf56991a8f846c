/** What a person can do about a failure. */
import type { FailureReason } from '../../shared-types/index.ts';

const BY_REASON: Readonly<Record<FailureReason, string>> = {
  nodeError: 'Check the inputs of this node, then generate again.',
  outOfMemory: 'The GPU ran out of memory: a smaller size or batch may fit, or a smaller model.',
  badWorkflow: 'ComfyUI refused the workflow: correct the named input, then generate again.',
  interrupted: 'Somebody interrupted it in ComfyUI. Try again when you like.',
  comfyRestarted: 'ComfyUI restarted while it ran. Try again: nothing is wrong with your workflow.',
  vanished: 'ComfyUI lost the job. Try again: nothing is wrong with your workflow.',
  workerStalled:
    'The worker stopped making progress. Try again; if it happens once more, look at the worker.',
  workerLost: 'The worker went away. Try again: another one takes it.',
  dispatchFailed: 'No worker could be reached. Look at the workers, then try again.',
  timeout: 'It took longer than it was allowed to. Lower steps or size, or allow more time.',
  noStatus: 'ComfyUI did not say how it ended. Try again.',
  internal: 'Something went wrong on our side. Try again; if it lasts, tell the operator the job’s id.',
};

/** Undefined where nobody told a reason, and for one that only a later version knows. */
export const adviceForReason = (reason: FailureReason | null): string | undefined =>
  reason !== null && Object.hasOwn(BY_REASON, reason) ? BY_REASON[reason] : undefined;
