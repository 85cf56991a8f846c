/**
 * The monitor's one rule: (state, fact, time) → next state and the events that it makes true. Pure: the state handed
 * in is not changed; clock and event ids come from outside.
 */
import { applyBinary, applyFrame } from './apply-frame.ts';
import { applyPoll, applyPollFailure } from './apply-poll.ts';
import { failJob, settleByClaim } from './job-end.ts';
import { isOpen } from './job.ts';
import { LIMITS, type CountName, type MonitorEvent, type MonitorState } from './monitor-state.ts';
import type { MonitorInput } from './monitor-input.ts';
import { publishHeartbeat, publishInitialized, publishStopped } from './publish-monitor.ts';
import { mayPublish, publishJob, publishPending } from './publish-job.ts';
import { beginTurn, draftJob, dropJob, forgiveSilence, type Turn } from './turn.ts';

export interface Reduction {
  readonly state: MonitorState;
  /** In the order in which they are to be published. */
  readonly events: readonly MonitorEvent[];
  /** One name per thing skipped, dropped or noticed. */
  readonly counts: readonly CountName[];
}

const onSocketOpened = (turn: Turn): void => {
  const { now, state } = turn;
  state.connection = { kind: 'open', since: now, announced: false };
  state.canary = { status: undefined, mismatchSince: undefined, deaf: false };
  state.clock = { ...state.clock, queueDueAt: now, statsDueAt: now, objectInfoDueAt: now };
  forgiveSilence(turn);
};

const onSocketClosed = (turn: Turn): void => {
  turn.state.connection = { kind: 'closed' };
  turn.state.canary = { ...turn.state.canary, status: undefined, mismatchSince: undefined, deaf: false };
};

/** The last chance to say what is pending; what runs on is for the next monitor of this worker to report. */
const onStop = (turn: Turn, reason: 'signal' | 'error'): void => {
  if (turn.state.stopped) return;
  for (const { promptId } of turn.state.jobs.values()) {
    const job = draftJob(turn, promptId);
    if (job?.identity !== undefined && isOpen(job)) publishPending(turn, job, true);
  }
  publishStopped(turn, reason);
  turn.state.stopped = true;
};

const apply = (turn: Turn, input: MonitorInput): void => {
  switch (input.kind) {
    case 'frame':
      return applyFrame(turn, input.frame);
    case 'binary':
      return applyBinary(turn, input.frame);
    case 'socketOpened':
      return onSocketOpened(turn);
    case 'socketClosed':
      return onSocketClosed(turn);
    case 'poll':
      return applyPoll(turn, input.result);
    case 'pollFailed':
      return applyPollFailure(turn, input.poll, input.failure);
    case 'stop':
      return onStop(turn, input.reason);
    case 'tick':
      return undefined;
    default:
      return input satisfies never;
  }
};

/** The history never answered: after a while what the frames said has to do. */
const settleOverdue = (turn: Turn): void => {
  for (const { promptId, phase, ownership } of turn.state.jobs.values()) {
    if (phase.kind !== 'ending' || phase.claim.kind === 'end' || ownership !== 'ours') continue;
    const job = turn.now >= phase.since + LIMITS.historyGraceMs ? draftJob(turn, promptId) : undefined;
    if (job !== undefined) settleByClaim(turn, job);
  }
};

/**
 * /queue says it runs, and said so just now, but nothing moved for longer than any node may take: the worker thread is
 * dead. A ComfyUI that answers nothing at all is busy, for all that anybody knows.
 */
const watchStalls = (turn: Turn): void => {
  const { now, state } = turn;
  if (state.connection.kind !== 'open') return;
  for (const { promptId, queued, phase, frameAt, aliveAt } of state.jobs.values()) {
    const isSaidToRun = phase.kind === 'running' && queued === 'running' && now - aliveAt <= LIMITS.doubtMs;
    const stalled = isSaidToRun && now - frameAt >= state.settings.stallTimeoutMs;
    const job = stalled ? draftJob(turn, promptId) : undefined;
    if (job !== undefined) failJob(turn, job, 'workerStalled', 'ComfyUI stopped working on the prompt.');
  }
};

const forgetOldJobs = (turn: Turn): void => {
  for (const job of turn.state.jobs.values()) {
    if (job.phase.kind === 'closed' && turn.now - job.phase.at >= LIMITS.closedJobMs) dropJob(turn, job);
  }
};

const publishDue = (turn: Turn): void => {
  publishInitialized(turn);
  const interval = turn.state.settings.progressIntervalMs;
  for (const job of turn.state.jobs.values()) {
    if (!mayPublish(job, turn.now, interval)) continue;
    const draft = draftJob(turn, job.promptId);
    if (draft !== undefined) publishJob(turn, draft);
  }
  publishHeartbeat(turn);
};

export const reduce = (
  state: MonitorState,
  input: MonitorInput,
  now: number,
  newEventId: () => string,
): Reduction => {
  const turn = beginTurn(state, now, newEventId);
  apply(turn, input);
  if (!turn.state.stopped) {
    settleOverdue(turn);
    watchStalls(turn);
    forgetOldJobs(turn);
    publishDue(turn);
  }
  return { state: turn.state, events: turn.events, counts: turn.counts };
};
