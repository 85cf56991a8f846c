/** What a person can do about a failure. */
import type { FailureReason } from '../../../shared-types/index.ts';
import { adviceForReason } from '../../react/failure-advice.ts';

const BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [/out of memory|OutOfMemory/i, adviceForReason('outOfMemory') ?? ''],
  [/not in list|not one of|value_not_in_list/i, 'Choose one of the values that the workers have.'],
  [
    /no such (node )?class|missing_node_type|does not exist/i,
    'No worker has this kind of node: install it, or use another workflow.',
  ],
];

export const adviceFor = (message: string, reason: FailureReason | null): string => {
  const known = BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1];
  return (
    known ??
    adviceForReason(reason) ??
    'Look at what the node says, correct it, and generate again; or try the same again.'
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
