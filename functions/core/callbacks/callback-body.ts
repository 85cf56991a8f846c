/** What a callback says: the task as the API shows it, but for its workflow. The same text at every attempt. */
import { NO_OUTLOOK } from '../task-outlook.ts';
import { taskViewOf } from '../task-view.ts';
import type { Job, JobOutputs } from '../job.ts';
import type { CallbackEvent } from './callback.ts';

/** A body stays below 256 KB: receivers and their gateways have limits. The API has all outputs. */
const MAX_OUTPUTS = 100;

export const callbackBody = (event: CallbackEvent, job: Job, outputs: JobOutputs | undefined): string => {
  const view = taskViewOf(job, outputs, NO_OUTLOOK);
  const { result = null } = view;
  const told =
    result === null
      ? null
      : {
          ...result,
          outputs: result.outputs.slice(0, MAX_OUTPUTS),
          missing_outputs: result.missing_outputs.slice(0, MAX_OUTPUTS),
          outputs_truncated: result.outputs.length > MAX_OUTPUTS,
        };
  return JSON.stringify({
    type: event,
    timestamp: job.completedAt ?? job.updatedAt,
    data: { ...view, result: told },
  });
};
