/** A history that contradicts `Job Completed`: the history decides. */
import type { HistoryOutcome } from '../../shared-types/index.ts';
import type { JobFailure } from './job.ts';

const reasonOf = (exceptionType: string): JobFailure['reason'] => {
  if (/(?:^|\.)OutOfMemoryError$/.test(exceptionType)) return 'outOfMemory';
  return /(?:^|\.)DependencyCycleError$/.test(exceptionType) ? 'badWorkflow' : 'nodeError';
};

/** Undefined when the history speaks of success. */
export const failureOfHistory = (outcome: HistoryOutcome): JobFailure | undefined => {
  switch (outcome.kind) {
    case 'succeeded':
    case 'unfinished':
      return undefined;
    case 'interrupted':
      return { reason: 'interrupted', message: 'ComfyUI interrupted the prompt' };
    case 'failed': {
      const { error } = outcome;
      if (error === undefined)
        return { reason: 'noStatus', message: 'ComfyUI ended the prompt without saying how' };
      const exceptionType = error.exception_type ?? '';
      const { node_id: nodeId, node_type: nodeType } = error;
      return {
        reason: reasonOf(exceptionType),
        message: error.exception_message?.slice(0, 4096) ?? 'a node failed',
        ...(typeof nodeId === 'string' ? { nodeId: nodeId.slice(0, 512) } : {}),
        ...(typeof nodeType === 'string' ? { nodeType: nodeType.slice(0, 256) } : {}),
        ...(exceptionType === '' ? {} : { exceptionType: exceptionType.slice(0, 512) }),
      };
    }
  }
};
