/** The events that the control plane publishes about a task. */
import * as z from 'zod';
import {
  failure,
  failureReasonSchema,
  jobEventBase,
  missingOutputSchema,
  storedOutputSchema,
  taskEventBase,
} from './event-base.ts';

export const taskSubmittedSchema = z
  .looseObject({ ...taskEventBase })
  .describe('A task was accepted and waits in the queue.');

export const taskDispatchedSchema = z
  .looseObject({
    ...taskEventBase,
    queuedMs: z.number().min(0).describe('From the submission, or from the retry, to the dispatch.'),
  })
  .describe('ComfyUI of a worker accepted the prompt of a new attempt.');

export const taskFinishedUnheardSchema = z
  .looseObject({
    ...taskEventBase,
    promptId: jobEventBase.promptId,
    workerId: jobEventBase.workerId,
    durationMs: z.number().min(0).nullable().describe('Execution time in ComfyUI, as its history says.'),
    outputCount: z.number().int().min(0).describe('Files and texts in the history.'),
  })
  .describe(
    'The history of a worker says that the prompt of an attempt succeeded, and its monitor never told: its outputs are stored as after `Job Completed`.',
  );

export const taskRetryingSchema = z
  .looseObject({
    ...taskEventBase,
    reason: failureReasonSchema,
    message: z.string().max(4096),
    nextAttempt: z.number().int().min(1),
    delaySeconds: z.number().min(0).describe('Not dispatched again before this has passed.'),
  })
  .describe('An attempt failed for a reason that a repetition can cure; the task is pending again.');

export const taskCompletedSchema = z
  .looseObject({
    ...taskEventBase,
    src: z.string().nullable().describe('URL of the first output; null when there is none.'),
    mimeType: z.string().nullable(),
    outputs: z.array(storedOutputSchema).describe('Every stored output, final URLs.'),
    missingOutputs: z.array(missingOutputSchema).describe('Outputs that could not be stored.'),
    outputsTruncated: z
      .boolean()
      .optional()
      .describe('True when the list was cut to fit; the task API has them all.'),
    durationMs: z.number().min(0).nullable().describe('Execution time in ComfyUI.'),
  })
  .describe('The task succeeded and its media are stored.');

export const taskFailedSchema = z
  .looseObject({ ...taskEventBase, ...failure })
  .describe('The task failed for good.');

export const taskCancelledSchema = z
  .looseObject({ ...taskEventBase })
  .describe('The task was cancelled, and history or absence proves it.');

export type TaskSubmitted = z.infer<typeof taskSubmittedSchema>;
export type TaskDispatched = z.infer<typeof taskDispatchedSchema>;
export type TaskFinishedUnheard = z.infer<typeof taskFinishedUnheardSchema>;
export type TaskRetrying = z.infer<typeof taskRetryingSchema>;
export type TaskCompleted = z.infer<typeof taskCompletedSchema>;
export type TaskFailed = z.infer<typeof taskFailedSchema>;
export type TaskCancelled = z.infer<typeof taskCancelledSchema>;
