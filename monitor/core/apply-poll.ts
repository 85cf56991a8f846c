/** What an answer of ComfyUI's REST API changes. /queue says what lives, /history how it ended. */
import {
  queuedPromptOf,
  type HistoryEntry,
  type Queue,
  type QueuedPrompt,
} from '../../shared-types/index.ts';
import { readExpectations } from './expectations.ts';
import { cancelJob, failJob, settleByHistory } from './job-end.ts';
import { isOpen, outlineOf, type Job } from './job.ts';
import { LIMITS } from './monitor-state.ts';
import type { Poll, PollFailure, PollResult } from './monitor-input.ts';
import {
  addJob,
  draftJob,
  dropJob,
  forgiveSilence,
  noteUnseenEnd,
  rememberForeign,
  wantHistory,
  type Turn,
} from './turn.ts';

const isOurs = (turn: Turn, prompt: QueuedPrompt): boolean =>
  prompt.extraData.client_id === turn.state.settings.clientId;

const adopt = (job: Job, prompt: QueuedPrompt): void => {
  job.ownership = 'ours';
  job.identity ??= {
    jobId: prompt.extraData.jobId ?? prompt.promptId,
    attempt: prompt.extraData.attempt ?? 1,
  };
  job.workflow ??= outlineOf(prompt, LIMITS.nodesPerJob);
  job.expectations ??= readExpectations(prompt.extraData['expected']);
};

const disown = (turn: Turn, promptId: string): void => {
  const job = turn.state.jobs.get(promptId);
  if (job?.ownership === 'ours') return;
  if (job !== undefined) dropJob(turn, job);
  rememberForeign(turn, promptId);
};

/** A prompt id that was ours and ended, or one that no event can carry, is not opened again. */
const mayOpen = (turn: Turn, promptId: string): boolean =>
  promptId !== '' && promptId.length <= LIMITS.promptIdLength && !turn.state.finished.has(promptId);

const seeInQueue = (turn: Turn, prompt: QueuedPrompt, place: 'running' | 'pending'): void => {
  if (!isOurs(turn, prompt)) return disown(turn, prompt.promptId);
  if (!mayOpen(turn, prompt.promptId)) return;
  const job = draftJob(turn, prompt.promptId) ?? addJob(turn, prompt.promptId, 'ours');
  if (!isOpen(job)) return;
  adopt(job, prompt);
  job.queued = place;
  job.aliveAt = turn.now;
  job.absence = undefined;
  if (place === 'running') {
    job.startedAt ??= turn.now;
    if (job.phase.kind === 'pending') job.phase = { kind: 'running' };
  }
};

const missFromQueue = (turn: Turn, promptId: string, askedAt: number): void => {
  const job = draftJob(turn, promptId);
  if (job === undefined || job.openedAt > askedAt) return;
  job.queued = 'absent';
  wantHistory(job, turn.now);
};

/** Numbers grow with every prompt and start again from 0 with the process: a new prompt below the rest betrays it. */
const watchNumbers = (turn: Turn, prompts: readonly QueuedPrompt[]): void => {
  const { highestNumber, queuedBefore } = turn.state;
  const isLate = ({ promptId, number }: QueuedPrompt): boolean =>
    number !== null && number >= 0 && number <= highestNumber && !queuedBefore.has(promptId);
  const restarted = prompts.some(isLate);
  if (restarted) noteRestart(turn);
  const numbers = prompts.map((prompt) => prompt.number ?? -1);
  turn.state.highestNumber = Math.max(restarted ? -1 : highestNumber, ...numbers);
  turn.state.queuedBefore = new Set(prompts.map((prompt) => prompt.promptId));
};

const noteRestart = (turn: Turn): void => {
  turn.state.restartedAt = turn.now;
  turn.counts.push('comfyRestarts');
};

const onQueue = (turn: Turn, queue: Queue, askedAt: number): void => {
  const prompts = [...queue.running, ...queue.pending];
  const listed = new Set(prompts.map((prompt) => prompt.promptId));
  watchNumbers(turn, prompts);
  for (const prompt of queue.running) seeInQueue(turn, prompt, 'running');
  for (const prompt of queue.pending) seeInQueue(turn, prompt, 'pending');
  for (const job of turn.state.jobs.values()) {
    if (isOpen(job) && !listed.has(job.promptId)) missFromQueue(turn, job.promptId, askedAt);
  }
  // A prompt that showed up after the question was asked is still without its answer.
  const unanswered = [...turn.state.jobs.values()].some(
    (job) => isOpen(job) && job.identity === undefined && job.openedAt > askedAt,
  );
  const queueDueAt = unanswered ? turn.now + LIMITS.queueSpacingMs : Infinity;
  turn.state.clock = { ...turn.state.clock, queueAskedAt: turn.now, queueDueAt };
  onLength(turn, prompts.length);
};

/**
 * Queue changes are broadcast within 2 s: two polls apart that contradict the last status mean a deaf socket; so does
 * one that never got the status that ComfyUI greets each connection with.
 */
const onLength = (turn: Turn, remaining: number): void => {
  const { canary, connection } = turn.state;
  // An answer may come before the greeting, which would then find nothing missing any more.
  if (canary.status === undefined) noteUnseenEnd(turn, remaining);
  turn.state.queueRemaining = remaining;
  if (connection.kind !== 'open' || canary.deaf) return;
  if (canary.status === undefined) {
    if (turn.now - connection.since >= LIMITS.greetingMs) markDeaf(turn);
  } else if (canary.status === remaining) turn.state.canary = { ...canary, mismatchSince: undefined };
  else if (canary.mismatchSince === undefined) turn.state.canary = { ...canary, mismatchSince: turn.now };
  else if (turn.now - canary.mismatchSince >= LIMITS.canaryRecheckMs) markDeaf(turn);
};

const markDeaf = (turn: Turn): void => {
  turn.state.canary = { ...turn.state.canary, deaf: true };
  turn.counts.push('deafSockets');
};

const backoff = (tries: number): number => Math.min(LIMITS.historyFirstMs * 2 ** tries, LIMITS.historyMaxMs);

/** A prompt that ran and ended unseen leaves a history; only a new process has none. */
const lostToRestart = (turn: Turn, job: Job): boolean => {
  const { restartedAt, endedUnseenAt } = turn.state;
  if (restartedAt !== undefined && restartedAt > job.aliveAt) return true;
  return job.phase.kind !== 'pending' && endedUnseenAt !== undefined && endedUnseenAt > job.aliveAt;
};

/** Neither queued nor in the history: not done, but gone. It takes several polls to be sure. */
const judgeAbsence = (turn: Turn, job: Job): void => {
  const before = job.absence ?? { since: turn.now, polls: 0 };
  job.absence = { since: before.since, polls: before.polls + 1 };
  if (lostToRestart(turn, job) && job.absence.polls >= 2) {
    return failJob(turn, job, 'comfyRestarted', 'ComfyUI restarted while it had the prompt.');
  }
  if (job.absence.polls < LIMITS.vanishedPolls || turn.now - before.since < LIMITS.vanishedMs) return;
  if (job.ownership === 'unknown') {
    turn.counts.push('unknownPromptsDropped');
    return dropJob(turn, job);
  }
  if (job.phase.kind === 'pending') return cancelJob(turn, job, 'deletedWhilePending', null);
  return failJob(turn, job, 'vanished', 'The prompt is neither queued nor in the history.');
};

const onNoHistory = (turn: Turn, job: Job): void => {
  job.historyTries += 1;
  if (job.phase.kind === 'ending') {
    const { since, claim } = job.phase;
    const waits = claim.kind !== 'end' || turn.now - since < LIMITS.historyGraceMs;
    if (waits) return wantHistory(job, turn.now + backoff(job.historyTries));
  }
  if (job.queued === 'absent') judgeAbsence(turn, job);
};

/** Our running job has an entry though no frame came for long: the socket has gone deaf. */
const watchSilence = (turn: Turn, job: Job): void => {
  const silent = job.phase.kind === 'running' && turn.now - job.frameAt >= LIMITS.silenceMs;
  if (silent && turn.state.connection.kind === 'open' && !turn.state.canary.deaf) markDeaf(turn);
};

const onHistory = (turn: Turn, promptId: string, entry: HistoryEntry | undefined): void => {
  const prompt = entry?.prompt === undefined ? undefined : queuedPromptOf(entry.prompt);
  if (prompt !== undefined && !isOurs(turn, prompt) && turn.state.jobs.get(promptId)?.ownership !== 'ours') {
    return disown(turn, promptId);
  }
  let job = draftJob(turn, promptId);
  if (job === undefined && prompt !== undefined && mayOpen(turn, promptId))
    job = addJob(turn, promptId, 'ours');
  if (job === undefined || !isOpen(job)) return;
  job.historyDueAt = undefined;
  if (prompt !== undefined && isOurs(turn, prompt)) adopt(job, prompt);
  if (entry === undefined) return onNoHistory(turn, job);
  watchSilence(turn, job);
  settleByHistory(turn, job, entry);
};

const onStats = (turn: Turn, stats: Extract<PollResult, { kind: 'systemStats' }>['stats']): void => {
  const signature = (of: typeof stats | undefined): string =>
    JSON.stringify([of?.system.comfyui_version, of?.system.argv]);
  const before = turn.state.stats;
  if (before !== undefined && signature(before) !== signature(stats)) noteRestart(turn);
  turn.state.stats = stats;
  turn.state.clock = { ...turn.state.clock, statsDueAt: Infinity };
};

export const applyPoll = (turn: Turn, result: PollResult): void => {
  if (turn.state.misses >= LIMITS.missesToDegrade) forgiveSilence(turn);
  turn.state.misses = 0;
  turn.state.refused = false;
  switch (result.kind) {
    case 'systemStats':
      return onStats(turn, result.stats);
    case 'objectInfo':
      turn.state.displayNames = result.displayNames;
      turn.state.clock = { ...turn.state.clock, objectInfoDueAt: Infinity };
      return undefined;
    case 'queue':
      return onQueue(turn, result.queue, result.askedAt);
    case 'queueLength':
      turn.state.clock = { ...turn.state.clock, queueLengthDueAt: turn.now + LIMITS.canaryMs };
      return onLength(turn, result.remaining);
    case 'history':
      return onHistory(turn, result.promptId, result.entry);
    default:
      return result satisfies never;
  }
};

/** When a failed poll is asked again: the canary keeps knocking, the others wait until it is answered. */
const retryClock = (turn: Turn, poll: Poll, failure: PollFailure): void => {
  const { clock } = turn.state;
  const later = turn.now + LIMITS.canaryMs;
  if (poll.kind === 'systemStats') turn.state.clock = { ...clock, statsDueAt: later };
  if (poll.kind === 'objectInfo') {
    // Names are a nicety: an answer without sense is not asked for again on this connection.
    turn.state.clock = { ...clock, objectInfoDueAt: failure === 'invalid' ? Infinity : later };
  }
  if (poll.kind === 'queue') turn.state.clock = { ...clock, queueAskedAt: turn.now, queueDueAt: later };
  if (poll.kind === 'queueLength') {
    turn.state.clock = {
      ...clock,
      queueLengthDueAt: turn.now + (turn.state.refused ? 1000 : LIMITS.canaryMs),
    };
  }
};

const retryHistory = (turn: Turn, promptId: string): void => {
  const job = draftJob(turn, promptId);
  if (job === undefined || !isOpen(job)) return;
  job.historyDueAt = undefined;
  job.historyTries += 1;
  wantHistory(job, turn.now + Math.max(backoff(job.historyTries), 1000));
};

export const applyPollFailure = (turn: Turn, poll: Poll, failure: PollFailure): void => {
  const wasUp = !turn.state.refused && turn.state.stats !== undefined;
  if (failure === 'invalid') turn.state.misses = 0;
  else turn.state.misses += 1;
  turn.state.refused = failure === 'refused';
  // A port that nothing listens on any more: the process is gone, and with it queue and history.
  if (failure === 'refused' && wasUp) noteRestart(turn);
  retryClock(turn, poll, failure);
  if (poll.kind === 'history') retryHistory(turn, poll.promptId);
};
