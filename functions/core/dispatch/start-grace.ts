/** How long the way of a prompt from its assignment into ComfyUI may take. */
import type { Job } from '../job.ts';

/** From the assignment to the answer of POST /prompt, at the longest; then the job is looked for in ComfyUI. */
export const START_GRACE_MS = 60_000;
/** In addition, for the files that are uploaded before it. */
export const FILES_GRACE_MS = 180_000;

/** Milliseconds from the assignment on. */
export const startGraceOf = ({ fileCount }: Pick<Job, 'fileCount'>): number =>
  START_GRACE_MS + (fileCount > 0 ? FILES_GRACE_MS : 0);

/** True once nobody can be on the way with the prompt any more: from now on, what ComfyUI has not got is lost. */
export const isPastStart = (job: Job, now: number): boolean =>
  job.assignedAt !== null && now - Date.parse(job.assignedAt) >= startGraceOf(job);
