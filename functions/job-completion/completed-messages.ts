/** What is told of a completed job: a push to its followers, an event to everyone else. */
import type { DetailOf, MissingOutput, PushOf, StoredOutput } from '../../shared-types/index.ts';
import { bytesOf, fitting, MAX_PUSH_BYTES } from '../core/fitting.ts';
import type { Job, JobOutputs } from '../core/job.ts';
import { pushBase } from '../core/push-base.ts';
import { taskEventBase } from '../core/task-event.ts';

/** One billing unit of EventBridge is 64 KB. */
const MAX_DETAIL_BYTES = 60 * 1024;

interface Lists {
  readonly outputs: StoredOutput[];
  readonly missingOutputs: MissingOutput[];
  readonly outputsTruncated?: true;
}

/** Room for `"outputsTruncated":true` and the brackets. */
const RESERVE = 256;

/** As many outputs as fit beside `rest`, then as many missing ones. */
const cut = ({ outputs, missingOutputs }: JobOutputs, rest: unknown, maxBytes: number): Lists => {
  const room = maxBytes - bytesOf(rest) - RESERVE;
  const kept = fitting(outputs, room);
  const keptMissing = fitting(missingOutputs, room - bytesOf(kept));
  const isCut = kept.length < outputs.length || keptMissing.length < missingOutputs.length;
  return { outputs: kept, missingOutputs: keptMissing, ...(isCut ? { outputsTruncated: true } : {}) };
};

const plural = (count: number): string => `${count} ${count === 1 ? 'output' : 'outputs'}`;

const sentence = ({ outputs, missingOutputs }: JobOutputs): string =>
  missingOutputs.length === 0
    ? `Completed: ${plural(outputs.length)}`
    : `Completed: ${plural(outputs.length)}, ${missingOutputs.length} could not be stored`;

export const completedPush = (job: Job, all: JobOutputs): PushOf<'job_completed'> => {
  const base = {
    type: 'job_completed',
    ...pushBase(job),
    message: sentence(all),
    durationMs: job.durationMs,
  } as const;
  return { ...base, ...cut(all, base, MAX_PUSH_BYTES) };
};

/** The same event, with the same id, for every delivery that publishes it. */
export const taskCompletedDetail = (job: Job, all: JobOutputs): DetailOf<'Task Completed'> => {
  const first = all.outputs[0];
  const base = {
    ...taskEventBase(job, 'Task Completed'),
    src: first?.src ?? null,
    mimeType: first?.mimeType ?? null,
    durationMs: job.durationMs,
  };
  return { ...base, ...cut(all, base, MAX_DETAIL_BYTES) };
};
