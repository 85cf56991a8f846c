/** How a monitor hands a picture while sampling to the control plane: a direct call, past the bus, stored nowhere. */
import * as z from 'zod';
import { jobPreviewPushSchema } from './push-messages.ts';

/** Bytes of picture; in base64 it stays below what one push may hold. */
export const MAX_PREVIEW_BYTES = 24 * 1024;
const MAX_BASE64 = Math.ceil(MAX_PREVIEW_BYTES / 3) * 4;

/** Payload of the function `push-preview`. Attempt, worker and prompt must be those that the job has now. */
export const previewRequestSchema = z.looseObject({
  jobId: z.string().min(1).max(128),
  attempt: z.number().int().min(1),
  workerId: z.string().min(1).max(64),
  promptId: z.string().min(1).max(128),
  nodeId: z.string().max(512).nullable(),
  mimeType: jobPreviewPushSchema.shape.mimeType,
  /** Null only asks whether anybody watches. */
  image: z.base64().min(4).max(MAX_BASE64).nullable(),
});
export type PreviewRequest = z.infer<typeof previewRequestSchema>;

export const previewAnswerSchema = z.looseObject({
  /** Connections that want pictures of the job; 0 too when the request was about no such attempt. */
  watchers: z.number().int().min(0),
});
export type PreviewAnswer = z.infer<typeof previewAnswerSchema>;
