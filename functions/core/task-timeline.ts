/** What happened to a task, oldest first, as the task API tells it. */
import type { Timeline } from '../../shared-types/index.ts';
import type { EndedAttempt, Job } from './job.ts';
import type { NodeTransition } from './ports.ts';

/** Transitions that an answer holds: more would pass what Lambda may answer. */
export const MAX_TRANSITIONS = 10_000;

type Entry = Timeline['entries'][number];
type AttemptTransition = NodeTransition & { readonly attempt: number };

const NOTHING = {
  worker_id: null,
  node_id: null,
  node_name: null,
  node_type: null,
  duration_ms: null,
};

const nodeEntry = (transition: AttemptTransition): Entry => {
  const { at, attempt, nodeId, nodeName, nodeType, state, durationMs, cached } = transition;
  const what = cached === true ? 'node_cached' : state === 'executing' ? 'node_executing' : 'node_executed';
  return {
    ...NOTHING,
    at,
    attempt,
    what,
    message: cached === true ? `${nodeName} came from the cache` : nodeName,
    node_id: nodeId,
    node_name: nodeName,
    node_type: nodeType,
    duration_ms: durationMs ?? null,
  };
};

type Begun = Pick<EndedAttempt, 'attempt' | 'workerId' | 'assignedAt' | 'startedAt'>;

const beginEntries = ({ attempt, workerId, assignedAt, startedAt }: Begun): Entry[] => {
  const of = (at: string | null, what: 'assigned' | 'started', message: string): Entry[] =>
    at === null ? [] : [{ ...NOTHING, at, attempt, what, message, worker_id: workerId }];
  return [
    ...of(assignedAt, 'assigned', `given to ${workerId ?? 'a worker'}`),
    ...of(startedAt, 'started', 'ComfyUI began'),
  ];
};

const failedEntry = ({ attempt, workerId, endedAt, failure }: EndedAttempt): Entry => ({
  ...NOTHING,
  at: endedAt,
  attempt,
  what: 'attempt_failed',
  message: failure?.message ?? 'the attempt ended',
  worker_id: workerId,
  node_id: failure?.nodeId ?? null,
  node_name: failure?.nodeName ?? null,
  node_type: failure?.nodeType ?? null,
});

const endEntry = (job: Job): Entry[] => {
  const { status, completedAt: at, attempt, workerId, durationMs } = job;
  if (at === null || (status !== 'completed' && status !== 'failed' && status !== 'cancelled')) return [];
  const messages = {
    completed: 'the outputs are stored',
    failed: job.failure?.message ?? 'failed',
    cancelled: 'cancelled',
  };
  const entry = { ...NOTHING, at, attempt, what: status, message: messages[status], worker_id: workerId };
  return [{ ...entry, duration_ms: durationMs }];
};

/** In the order in which things are told when they bear one instant: the stable sort keeps it. */
export const timelineOf = (job: Job, transitions: readonly AttemptTransition[]): Timeline => {
  const running: Begun[] = job.attempts.some(({ attempt }) => attempt === job.attempt) ? [] : [job];
  const retried = job.attempts.filter(
    ({ outcome, attempt }) => outcome === 'failed' && (attempt < job.attempt || job.completedAt === null),
  );
  const entries: Entry[] = [
    { ...NOTHING, at: job.createdAt, attempt: 0, what: 'submitted', message: job.workflowId },
    ...[...job.attempts, ...running].flatMap(beginEntries),
    ...transitions.slice(0, MAX_TRANSITIONS).map(nodeEntry),
    ...retried.map(failedEntry),
    ...endEntry(job),
  ];
  return {
    entries: entries.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at)),
    truncated: transitions.length > MAX_TRANSITIONS,
  };
};
