/** The client's memory of one followed job: its state, who listens, and when it was last asked and heard. */
import { initialJobState, isFinished, type JobState } from './job-model.ts';

export type JobListener = (state: JobState) => void;

export interface FollowedJob {
  state: JobState;
  readonly listeners: Set<JobListener>;
  /** This very connection was asked for it: the server counts it, finished or not. */
  asked: boolean;
  /** A snapshot was asked for that has not come yet. */
  waits: boolean;
  /** When it was last asked for or heard of. */
  touchedAt: number;
  /** Infinity while an answer is awaited. */
  polledAt: number;
  /** The server refused to push it (too many subscriptions, or no answer to make sense of). */
  refused: boolean;
  /** Since when nobody listens. */
  leftAt: number;
}

export const createFollowedJob = (jobId: string, now: number): FollowedJob => ({
  state: initialJobState(jobId),
  listeners: new Set(),
  asked: false,
  waits: false,
  touchedAt: now,
  polledAt: -Infinity,
  refused: false,
  leftAt: now,
});

/** Somebody listens and there is more to come. */
export const isActive = (job: FollowedJob): boolean => job.listeners.size > 0 && !isFinished(job.state);

/** The end is known, but the list of outputs is not whole. */
export const wantsOutputs = ({ state, listeners }: FollowedJob): boolean =>
  listeners.size > 0 && state.outputsTruncated && isFinished(state);

/** It is over, and of some node that was not heard: what nodes do is told beside the states, without a number. */
export const wantsNodes = ({ state }: FollowedJob): boolean =>
  state.status === 'completed' &&
  state.nodes.filter((node) => node.state !== 'executing').length < state.totalNodes;

/** Takes a new state and tells the listeners; nothing happens when it is the old one. */
export const changeState = (job: FollowedJob, next: JobState): void => {
  if (next === job.state) return;
  job.state = next;
  for (const listener of job.listeners) listener(next);
};
