/** Node transitions. A node starts once and finishes once, however often and in whatever order frames say so. */
import type { ProgressNode } from '../../shared-types/index.ts';
import type { Job, NodeRun, StepRhythm } from './job.ts';
import { LIMITS } from './monitor-state.ts';
import type { Turn } from './turn.ts';

const rootOf = (nodeId: string): string => nodeId.split('.')[0] ?? nodeId;

interface Steps {
  readonly value: number;
  readonly max: number;
}

/**
 * Steps that can be trusted: a custom node may send anything, also more steps done than there are. Undefined where a
 * number is none: that says nothing, and must not be taken for a count that starts over.
 */
const stepsOf = (turn: Turn, value: number | null, max: number | null): Steps | undefined => {
  if (value === null || max === null || !Number.isFinite(value) || !Number.isFinite(max)) {
    turn.counts.push('progressWithoutNumbers');
    return undefined;
  }
  const top = max > 0 ? max : 1;
  return { value: Math.min(Math.max(value, 0), top), max: top };
};

const roomFor = (turn: Turn, job: Job, nodeId: string): boolean => {
  if (job.nodes.has(nodeId) || job.nodes.size < LIMITS.nodesPerJob) return true;
  turn.counts.push('nodesOverCap');
  return false;
};

export interface NodeIds {
  readonly displayNodeId?: string | null | undefined;
  readonly parentNodeId?: string | null | undefined;
  readonly realNodeId?: string | null | undefined;
}

const idsOf = (nodeId: string, ids: NodeIds) => ({
  displayNodeId: (ids.displayNodeId ?? rootOf(nodeId)).slice(0, 512),
  ...(ids.parentNodeId ? { parentNodeId: ids.parentNodeId.slice(0, 512) } : {}),
  ...(ids.realNodeId ? { realNodeId: ids.realNodeId.slice(0, 512) } : {}),
});

const noteRun = (job: Job, change: -1 | 0 | 1, now: number): void => {
  job.running += change;
  job.ranAt = now;
  job.progressDirty = true;
};

/** Marks a node as running; a second start (a lazy node) changes nothing. */
export const startNode = (turn: Turn, job: Job, nodeId: string, ids: NodeIds = {}): void => {
  if (job.nodes.has(nodeId) || !roomFor(turn, job, nodeId)) return;
  const run = {
    nodeId,
    state: 'running',
    value: 0,
    max: 1,
    startedAt: turn.now,
    changedAt: turn.now,
  } as const;
  job.nodes.set(nodeId, { ...run, ...idsOf(nodeId, ids) });
  job.pendingStarted.push(nodeId);
  noteRun(job, 1, turn.now);
};

/** Marks a node as finished; for good: nothing makes it run again. */
export const finishNode = (turn: Turn, job: Job, nodeId: string, ids: NodeIds = {}): void => {
  const run = job.nodes.get(nodeId);
  if (run !== undefined && run.state !== 'running') return;
  if (run === undefined && !roomFor(turn, job, nodeId)) return;
  const before = run ?? { nodeId, value: 1, max: 1, ...idsOf(nodeId, ids) };
  job.nodes.set(nodeId, {
    ...before,
    value: before.max,
    state: 'finished',
    finishedAt: turn.now,
    changedAt: turn.now,
  });
  job.pendingFinished.push(nodeId);
  noteRun(job, run === undefined ? 0 : -1, turn.now);
};

/** A node whose frames came first, in a wrong order or without their beginning, was cached all the same. */
const relabelCached = (turn: Turn, job: Job, nodeId: string): void => {
  if (job.nodes.get(nodeId)?.state === 'running') finishNode(turn, job, nodeId);
  const run = job.nodes.get(nodeId);
  if (run?.state === 'finished') job.nodes.set(nodeId, { ...run, state: 'cached' });
};

export const cacheNodes = (turn: Turn, job: Job, nodeIds: readonly string[]): void => {
  job.cachedSeen = true;
  for (const nodeId of nodeIds) {
    if (job.nodes.has(nodeId)) relabelCached(turn, job, nodeId);
    if (job.nodes.has(nodeId) || !roomFor(turn, job, nodeId)) continue;
    const run = {
      nodeId,
      state: 'cached',
      value: 1,
      max: 1,
      finishedAt: turn.now,
      changedAt: turn.now,
    } as const;
    job.nodes.set(nodeId, { ...run, ...idsOf(nodeId, {}) });
    job.pendingFinished.push(nodeId);
    job.progressDirty = true;
  }
};

/** How much the latest step weighs in the mean once there are some. */
const LATEST_STEP = 0.2;
/** A step is believed to take at most so many times the mean, once so many were heard of. */
const HELD_FROM = { times: 4, count: 3 } as const;
/** Below this (ms) no step is taken for one that was held up, however short those before it were. */
const NEVER_HELD_MS = 1000;

const rhythmOf = ({ rhythm, value: before, changedAt }: NodeRun, value: number, at: number): StepRhythm => {
  const steps = Math.max(1, value - before);
  const gap = Math.max(0, at - changedAt) / steps;
  const { stepMs, count, heldMs } = rhythm ?? { stepMs: gap, count: 0, heldMs: 0 };
  const most = count < HELD_FROM.count ? Infinity : Math.max(HELD_FROM.times * stepMs, NEVER_HELD_MS);
  const taken = Math.min(gap, most);
  const weight = Math.max(LATEST_STEP, 1 / (count + 1));
  return {
    stepMs: stepMs + weight * (taken - stepMs),
    count: count + 1,
    heldMs: heldMs + (gap - taken) * steps,
  };
};

/** The first step is where the count begins: the time before it holds whatever the node did first. */
const paceOf = (
  run: NodeRun,
  value: number,
  at: number,
): Pick<NodeRun, 'stepsFrom' | 'restarted' | 'rhythm'> => {
  if (run.stepsFrom === undefined) return value > 0 ? { stepsFrom: { value, at } } : {};
  const rhythm = rhythmOf(run, value, at);
  return value < run.value ? { rhythm, restarted: true } : { rhythm };
};

const moveTo = (turn: Turn, job: Job, run: NodeRun, value: number, max: number): void => {
  if (run.state !== 'running' || (run.value === value && run.max === max)) return;
  job.nodes.set(run.nodeId, { ...run, ...paceOf(run, value, turn.now), value, max, changedAt: turn.now });
  job.progressDirty = true;
};

/** A `progress` frame: steps of a node that was seen to start. */
export const stepNode = (
  turn: Turn,
  job: Job,
  nodeId: string,
  value: number | null,
  max: number | null,
): void => {
  const run = job.nodes.get(nodeId);
  if (run === undefined) {
    turn.counts.push('progressOfUnknownNodes');
    return;
  }
  const steps = stepsOf(turn, value, max);
  if (steps !== undefined) moveTo(turn, job, run, steps.value, steps.max);
};

/** One node of a `progress_state` frame. States other than running and finished are news to nobody yet. */
export const applyProgressNode = (turn: Turn, job: Job, nodeId: string, node: ProgressNode): void => {
  const ids: NodeIds = {
    displayNodeId: node.display_node_id,
    parentNodeId: node.parent_node_id,
    realNodeId: node.real_node_id,
  };
  if (node.state === 'running') {
    startNode(turn, job, nodeId, ids);
    const run = job.nodes.get(nodeId);
    const steps = stepsOf(turn, node.value, node.max);
    if (run !== undefined && steps !== undefined) moveTo(turn, job, run, steps.value, steps.max);
  } else if (node.state === 'finished') {
    finishNode(turn, job, nodeId, ids);
  }
};
