/** A node announced files: they are copied early, so that the browser shows them before the job ends. */
import type { DetailOf, OutputFile } from '../../shared-types/index.ts';
import { copyOutputs } from '../core/copy-outputs.ts';
import { PipelineError } from '../core/errors.ts';
import { distinctOutputs } from '../core/job-outputs.ts';
import { ACTIVE_STATUSES, type Job, type JobGuard, type JobOutputs } from '../core/job.ts';
import { outputIdOf } from '../core/output-key.ts';
import type { CompletionDependencies } from './dependencies.ts';
import { pushProgress } from './progress-push.ts';

/** The job item stays small; what comes after these is stored at the end. */
const MAX_EARLY_OUTPUTS = 64;

/** No condition on the sequence: files do not overtake each other, they add up. */
const guardOfImages = (detail: DetailOf<'Images Generated'>): JobGuard => ({
  jobId: detail.jobId,
  statuses: ACTIVE_STATUSES,
  attempt: detail.attempt,
  workerId: detail.workerId,
  promptId: detail.promptId,
});

const isOf = (job: Job, { statuses, attempt, workerId, promptId }: JobGuard): boolean =>
  statuses.includes(job.status) &&
  job.attempt === attempt &&
  job.workerId === workerId &&
  job.promptId === promptId;

const newFiles = (job: Job, images: readonly OutputFile[]): OutputFile[] => {
  const known = new Set(job.earlyOutputs.map(({ outputId }) => outputId));
  const room = MAX_EARLY_OUTPUTS - distinctOutputs(job.earlyOutputs).length;
  return images
    .filter(({ nodeId, outputKey, index }) => !known.has(outputIdOf(job.jobId, nodeId, outputKey, index)))
    .slice(0, Math.max(0, room));
};

/** A worker that cannot be reached now costs the early look only; the end copies everything. */
const copyEarly = async (
  job: Job,
  files: readonly OutputFile[],
  deps: CompletionDependencies,
): Promise<JobOutputs | undefined> => {
  const worker = await deps.workers.get(job.workerId ?? '');
  if (worker === undefined) return undefined;
  const { jobId, userId, sessionId } = job;
  const target = { jobId, userId, sessionId, endpoint: worker.endpoint, early: [] };
  try {
    return await copyOutputs({ files, texts: [] }, target, deps);
  } catch (error) {
    if (error instanceof PipelineError && error.retryable) return undefined;
    throw error;
  }
};

export const onImagesGenerated = async (
  detail: DetailOf<'Images Generated'>,
  deps: CompletionDependencies,
): Promise<void> => {
  const { jobId, attempt, eventId } = detail;
  const guard = guardOfImages(detail);
  const job = await deps.jobs.get(jobId);
  if (job === undefined || !isOf(job, guard)) {
    return deps.logger.info('event.stale', { jobId, attempt, eventId });
  }
  const files = newFiles(job, detail.images);
  if (files.length === 0) return;
  const copied = await copyEarly(job, files, deps);
  if (copied === undefined) return deps.logger.warn('images.not-copied-early', { jobId, attempt });
  if (copied.outputs.length === 0) return;
  const updated = await deps.jobs.update({ guard, patch: { addEarlyOutputs: copied.outputs } });
  if (updated.kind === 'applied') await pushProgress(updated.job, deps);
};
