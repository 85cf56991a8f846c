/** A completed attempt teaches what its workflow takes on workers of that kind. */
import type { Logger, TimelineStore } from '../ports.ts';
import { EMPTY_PROFILE, type Profile } from './profile.ts';
import { learnClasses, learnWorkflow, type MeasuredRun } from './learn-run.ts';
import { CLASS_PROFILE, type ProfileKey, type ProfileStore } from './ports.ts';
import { shapeOf, type WorkflowShape } from './workflow-shape.ts';

export interface LearnAttemptDependencies {
  readonly profiles: ProfileStore;
  readonly timeline: Pick<TimelineStore, 'list'>;
  readonly logger: Logger;
}

export interface CompletedAttempt {
  readonly jobId: string;
  readonly attempt: number;
  readonly durationMs: number | null;
  /** In API format, as the history shows it. */
  readonly workflow: unknown;
  readonly kind: string;
}

/** Transitions that are read; a workflow of more nodes is learnt in part. */
const MAX_TRANSITIONS = 4000;
/** Classes are taught by the first runs of a workflow: one write a job afterwards, and no workflow outvotes the rest. */
const RUNS_THAT_TEACH_CLASSES = 3;
const TRIES = 3;

const measuredRun = async (
  { jobId, attempt, durationMs }: CompletedAttempt,
  { timeline }: LearnAttemptDependencies,
): Promise<MeasuredRun> => {
  const durations = new Map<string, number>();
  for (const node of await timeline.list(jobId, MAX_TRANSITIONS)) {
    const ran = node.attempt === attempt && node.state === 'executed' && node.cached !== true;
    if (ran && node.durationMs !== undefined) durations.set(node.nodeId, node.durationMs);
  }
  return { jobId, durations, totalMs: durationMs };
};

type Lesson = (profile: Profile, shape: WorkflowShape, run: MeasuredRun) => Profile;

/** Answers how many runs the profile had before; a second call for the same job changes nothing. */
const teach = async (
  key: ProfileKey,
  lesson: Lesson,
  shape: WorkflowShape,
  run: MeasuredRun,
  { profiles }: LearnAttemptDependencies,
): Promise<number> => {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const before = (await profiles.get(key)) ?? EMPTY_PROFILE;
    if (before.lastJobId === run.jobId) return before.runs - 1;
    if (await profiles.put(key, lesson(before, shape, run), before.runs)) return before.runs;
  }
  // Others taught it meanwhile: one measurement more or less is none that matters.
  return RUNS_THAT_TEACH_CLASSES;
};

const learn = async (attempt: CompletedAttempt, deps: LearnAttemptDependencies): Promise<void> => {
  const shape = shapeOf(attempt.workflow);
  if (shape === undefined) return;
  const run = await measuredRun(attempt, deps);
  // All from the cache: nothing was measured.
  if (run.durations.size === 0) return;
  const { kind } = attempt;
  const runs = await teach({ of: shape.hash, kind }, learnWorkflow, shape, run, deps);
  if (runs >= RUNS_THAT_TEACH_CLASSES) return;
  await teach({ of: CLASS_PROFILE, kind }, learnClasses, shape, run, deps);
};

/** Never rejects: an estimate is not worth a failed completion. */
export const learnAttempt = async (
  attempt: CompletedAttempt,
  deps: LearnAttemptDependencies,
): Promise<void> => {
  try {
    await learn(attempt, deps);
  } catch (error) {
    deps.logger.warn('estimate.not-learnt', { jobId: attempt.jobId, reason: String(error) });
  }
};
