/** Turns what is pending of a job into events: leading edge at once, then at most one of each kind per interval. */
import { SCHEMA_VERSION, type MonitorDetailType, type OutputFile } from '../../shared-types/index.ts';
import { estimateOf, etaOf, type Estimate } from './estimate.ts';
import { DETAIL_BUDGET_BYTES, chunksBySize, headWithin } from './event-size.ts';
import type { Job, Lanes } from './job.ts';
import { LIMITS, type MonitorEvent } from './monitor-state.ts';
import { countNodes, raiseOverall, referenceOf, relevantNodes, runningNode } from './progress-snapshot.ts';
import type { Turn } from './turn.ts';

type JobDetailType = Exclude<MonitorDetailType, `Monitor ${string}`>;

export const isoTime = (ms: number): string => new Date(ms).toISOString();

/** Appends one event of the job with the next sequence. Jobs without an identity have none: callers see to it. */
export const emitJob = (
  turn: Turn,
  job: Job,
  detailType: JobDetailType,
  body: Readonly<Record<string, unknown>>,
): void => {
  if (job.identity === undefined) return;
  job.sequence += 1;
  const { clientId, workerId } = turn.state.settings;
  const base = {
    eventId: turn.newEventId(),
    schemaVersion: SCHEMA_VERSION,
    promptId: job.promptId,
    timestamp: isoTime(turn.now),
    clientId,
    workerId,
    ...job.identity,
    sequence: job.sequence,
  };
  // The body's shape is fixed per detail-type by its caller; every test validates it against the schema.
  turn.events.push({ detailType, detail: { ...base, ...body } } as unknown as MonitorEvent);
};

const hasBegun = (job: Job): boolean => job.startedAt !== undefined;

/** Job Started waits a moment for `execution_cached`, which tells how many nodes the cache spares. */
const startedIsDue = (turn: Turn, job: Job): boolean =>
  hasBegun(job) &&
  (job.cachedSeen ||
    job.nodes.size > 0 ||
    job.phase.kind === 'ending' ||
    turn.now >= (job.startedAt ?? turn.now) + LIMITS.settleMs);

const publishStarted = (turn: Turn, job: Job, force: boolean): void => {
  if (job.jobStartedSent || !hasBegun(job) || !(force || startedIsDue(turn, job))) return;
  const { totalNodes, cachedNodes } = countNodes(job);
  job.jobStartedSent = true;
  emitJob(turn, job, 'Job Started', { totalNodes, cachedNodes });
};

const laneIsOpen = (turn: Turn, job: Job, lane: keyof Lanes, force: boolean): boolean =>
  force || turn.now >= job.lanes[lane] + turn.state.settings.progressIntervalMs;

const publishExecuting = (turn: Turn, job: Job, force: boolean): void => {
  if (job.pendingStarted.length === 0 || !laneIsOpen(turn, job, 'executing', force)) return;
  const nodes = job.pendingStarted.flatMap((id) => {
    const run = job.nodes.get(id);
    if (run === undefined) return [];
    const reference = referenceOf(job, turn.state.displayNames, id, run.displayNodeId);
    return [{ ...reference, startedAt: isoTime(run.startedAt ?? turn.now) }];
  });
  for (const part of chunksBySize(nodes)) emitJob(turn, job, 'Node Executing', { nodes: part });
  job.pendingStarted = [];
  job.lanes.executing = turn.now;
};

const executedEntry = (turn: Turn, job: Job, id: string): Record<string, unknown>[] => {
  const run = job.nodes.get(id);
  const unneeded = run?.state === 'cached' && job.workflow !== undefined && !job.workflow.needed.has(id);
  if (run === undefined || unneeded) return [];
  const finishedAt = run.finishedAt ?? turn.now;
  return [
    {
      ...referenceOf(job, turn.state.displayNames, id, run.displayNodeId),
      finishedAt: isoTime(finishedAt),
      ...(run.startedAt === undefined ? {} : { durationMs: Math.max(0, finishedAt - run.startedAt) }),
      cached: run.state === 'cached',
    },
  ];
};

/** A node whose start is still pending waits for it: executed never precedes executing. */
const publishExecuted = (turn: Turn, job: Job, force: boolean): void => {
  if (job.pendingFinished.length === 0 || !laneIsOpen(turn, job, 'executed', force)) return;
  const waiting = new Set(job.pendingStarted);
  const ready = job.pendingFinished.filter((id) => !waiting.has(id));
  job.pendingFinished = job.pendingFinished.filter((id) => waiting.has(id));
  const nodes = ready.flatMap((id) => executedEntry(turn, job, id));
  if (nodes.length === 0) return;
  for (const part of chunksBySize(nodes)) emitJob(turn, job, 'Node Executed', { nodes: part });
  job.lanes.executed = turn.now;
};

const publishImages = (turn: Turn, job: Job, force: boolean): void => {
  if (job.pendingImages.length === 0 || !laneIsOpen(turn, job, 'images', force)) return;
  for (const part of chunksBySize<OutputFile>(job.pendingImages)) {
    emitJob(turn, job, 'Images Generated', { images: part });
  }
  job.pendingImages = [];
  job.lanes.images = turn.now;
};

/** Twenty reports show a whole job moving; a long silence is broken four times a minute. */
const quietMsOf = (estimate: Estimate | undefined, inDoubt: boolean): number => {
  if (estimate === undefined) return Infinity;
  if (inDoubt) return LIMITS.quietMostMs;
  return Math.min(
    Math.max((estimate.doneMs + estimate.leftMs) / 20, LIMITS.quietLeastMs),
    LIMITS.quietMostMs,
  );
};

/**
 * Up to when time may move anything (ms since the epoch): a frame of the job or /queue showed it alive then, and where
 * no poll has failed since, a little later.
 */
const aliveUntil = ({ now, state }: Turn, { aliveAt }: Job): number =>
  Math.min(now, state.misses > 0 ? aliveAt : aliveAt + LIMITS.doubtMs);

/** Between two nodes nothing runs for a moment: what comes next is better news than what ended. */
const progressDueAt = (job: Job, intervalMs: number): number => {
  if (job.phase.kind !== 'running' || job.ranAt === undefined) return Infinity;
  // Where times are known, a node that says nothing of itself (a loader) moves on all the same.
  if (!job.progressDirty) return job.running > 0 ? job.lanes.progress + job.quietMs : Infinity;
  const settledAt = job.running > 0 ? -Infinity : job.ranAt + LIMITS.settleMs;
  return Math.max(job.lanes.progress + intervalMs, settledAt);
};

const publishProgress = (turn: Turn, job: Job): void => {
  if (turn.now < progressDueAt(job, turn.state.settings.progressIntervalMs)) return;
  const { lead, running } = relevantNodes(job);
  if (lead === undefined) return;
  const counts = countNodes(job);
  const until = aliveUntil(turn, job);
  const inDoubt = turn.now - job.aliveAt > LIMITS.doubtMs;
  const estimate = estimateOf(job, until);
  const names = turn.state.displayNames;
  const runningNodes = headWithin(
    running.map((run) => runningNode(job, names, run)),
    DETAIL_BUDGET_BYTES - 8192,
  );
  emitJob(turn, job, 'Node Progress Update', {
    ...runningNode(job, names, lead),
    overallPercentage: raiseOverall(job, counts, estimate),
    completedNodes: counts.completedNodes,
    cachedNodes: counts.cachedNodes,
    totalNodes: counts.totalNodes,
    runningNodes,
    eta: inDoubt ? null : etaOf(job, until, estimate),
  });
  job.quietMs = quietMsOf(estimate, inDoubt);
  job.progressDirty = false;
  job.lanes.progress = turn.now;
};

/** Transitions and files that nothing may overtake; `force` also where the rate limit would still hold them. */
export const publishPending = (turn: Turn, job: Job, force: boolean): void => {
  publishStarted(turn, job, force);
  if (!job.jobStartedSent) return;
  publishExecuting(turn, job, force);
  publishExecuted(turn, job, force);
  publishImages(turn, job, force);
};

/** Until /queue or /history has told whose job it is and of which nodes, everything stays pending. */
const isTellable = (job: Job): boolean =>
  job.identity !== undefined &&
  job.workflow !== undefined &&
  job.ownership === 'ours' &&
  job.phase.kind !== 'closed';

/** What is due of an open job now. */
export const publishJob = (turn: Turn, job: Job): void => {
  if (!isTellable(job)) return;
  publishPending(turn, job, false);
  if (job.jobStartedSent) publishProgress(turn, job);
};

/** Finished nodes whose start is still pending can go no earlier than that start. */
const executedDueAt = (job: Job, intervalMs: number): number => {
  if (job.pendingFinished.length === 0) return Infinity;
  const waiting = new Set(job.pendingStarted);
  const blocked = job.pendingFinished.every((id) => waiting.has(id));
  return Math.max(job.lanes.executed, blocked ? job.lanes.executing : -Infinity) + intervalMs;
};

/** Whether `publishJob` may have something to say now; cheap enough to ask of every job at every step. */
export const mayPublish = (job: Job, now: number, intervalMs: number): boolean =>
  isTellable(job) && (!job.jobStartedSent || publishDueAt(job, intervalMs) <= now);

/** When the job next has something to publish (ms since the epoch), or Infinity. */
export const publishDueAt = (job: Job, intervalMs: number): number => {
  if (!isTellable(job)) return Infinity;
  if (!job.jobStartedSent) return job.startedAt === undefined ? Infinity : job.startedAt + LIMITS.settleMs;
  return Math.min(
    job.pendingStarted.length > 0 ? job.lanes.executing + intervalMs : Infinity,
    executedDueAt(job, intervalMs),
    job.pendingImages.length > 0 ? job.lanes.images + intervalMs : Infinity,
    progressDueAt(job, intervalMs),
  );
};
