/** What a person can do about a failure. */
import type { FailureReason } from '../../../shared-types/index.ts';

const BY_REASON: Readonly<Record<FailureReason, string>> = {
  nodeError: 'Check the inputs of this node, then generate again.',
  outOfMemory: 'The GPU ran out of memory: lower the size or the batch size, or use a smaller model.',
  badWorkflow: 'ComfyUI refused the workflow: correct the named input, then generate again.',
  interrupted: 'Somebody interrupted it in ComfyUI. Generate again when you like.',
  comfyRestarted: 'ComfyUI restarted while it ran. Retry: nothing is wrong with your workflow.',
  vanished: 'ComfyUI lost the job. Retry: nothing is wrong with your workflow.',
  workerStalled: 'The worker stopped making progress. Retry; if it happens again, look at the worker.',
  workerLost: 'The worker went away. Retry: another one takes it.',
  dispatchFailed: 'No worker could be reached. Look at the workers, then retry.',
  timeout: 'It took longer than it was allowed to. Lower steps or size, or allow more time.',
  noStatus: 'ComfyUI did not say how it ended. Retry.',
  internal: 'Something went wrong on our side. Retry; if it happens again, tell the operator the job’s id.',
};

const BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [/out of memory|OutOfMemory/i, BY_REASON.outOfMemory],
  [/not in list|not one of|value_not_in_list/i, 'Choose one of the values that the workers have.'],
  [
    /no such (node )?class|missing_node_type|does not exist/i,
    'No worker has this kind of node: install it, or use another workflow.',
  ],
];

export const adviceFor = (message: string, reason: FailureReason | null): string => {
  const known = BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1];
  // From outside: a reason of a later version is none of ours.
  return (
    known ??
    (reason === null ? undefined : BY_REASON[reason]) ??
    'Look at what the node says, correct it, and generate again; or retry.'
  );
};

const BY_PROBLEM: Readonly<Record<string, string>> = {
  value_not_in_list: 'Choose one of the values named here.',
  required_input_missing: 'Fill it in, or connect it in ComfyUI and export again.',
  value_smaller_than_min: 'Use a larger value.',
  value_bigger_than_max: 'Use a smaller value.',
  invalid_input_type: 'Use a value of the right kind.',
  missing_node_type: 'No worker has this kind of node: install it there, or use another workflow.',
  bad_linked_input: 'Connect it again in ComfyUI and export anew.',
  return_type_mismatch: 'Connect it again in ComfyUI and export anew.',
  dependency_cycle: 'Its links lead in a circle: correct them in ComfyUI and export anew.',
};

export const adviceForProblem = (type: string): string => BY_PROBLEM[type] ?? '';
