/** What a callback says: the task as lists show it, and its outputs. The same text at every attempt. */
import type { Job, JobOutputs } from '../job.ts';
import { taskResultOf, taskSummaryOf } from '../task-view.ts';
import type { CallbackEvent } from './callback.ts';

/** A body stays below 256 KB: receivers and their gateways have limits. The API has all outputs. */
const MAX_OUTPUTS = 100;

const resultOf = ({ outputs, missingOutputs }: JobOutputs) => ({
  ...taskResultOf({
    outputs: outputs.slice(0, MAX_OUTPUTS),
    missingOutputs: missingOutputs.slice(0, MAX_OUTPUTS),
  }),
  outputs_truncated: outputs.length > MAX_OUTPUTS || missingOutputs.length > MAX_OUTPUTS,
});

export const callbackBody = (event: CallbackEvent, job: Job, outputs: JobOutputs | undefined): string =>
  JSON.stringify({
    type: event,
    timestamp: job.completedAt ?? job.updatedAt,
    data: { ...taskSummaryOf(job), result: outputs === undefined ? null : resultOf(outputs) },
  });
