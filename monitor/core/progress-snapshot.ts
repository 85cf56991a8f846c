/** The progress of a whole attempt, as one snapshot that replaces the one before it. */
import type { RunningNode } from '../../shared-types/index.ts';
import { percentageOf, type Estimate } from './estimate.ts';
import type { Job, NodeRun } from './job.ts';
import { cleanText, nodeName } from './node-names.ts';

const MAX_RUNNING = 64;
/** 100 is for Job Completed to say. */
const TOP_BEFORE_END = 99.9;

export type DisplayNames = ReadonlyMap<string, string>;

export interface NodeReference {
  readonly nodeId: string;
  readonly displayNodeId: string;
  readonly nodeName: string;
  readonly nodeType: string;
}

/** An expanded node (`2.0.0.1`) has no class in the workflow: it goes by the node that it belongs to. */
export const referenceOf = (
  job: Job,
  names: DisplayNames,
  nodeId: string,
  displayNodeId: string,
): NodeReference => {
  const outline = job.workflow?.nodes.get(nodeId) ?? job.workflow?.nodes.get(displayNodeId);
  const classType = outline?.classType ?? '';
  const name = nodeName({ classType, title: outline?.title, displayName: names.get(classType) });
  return {
    nodeId,
    displayNodeId,
    nodeName: name === '' ? cleanText(`Node ${displayNodeId}`) : name,
    nodeType: classType,
  };
};

const percentage = (value: number, max: number): number =>
  Math.round(Math.min(Math.max(value / max, 0), 1) * 1000) / 10;

const isNeeded = (job: Job, run: NodeRun): boolean =>
  run.state !== 'cached' || job.workflow === undefined || job.workflow.needed.has(run.nodeId);

export interface NodeCounts {
  readonly totalNodes: number;
  readonly completedNodes: number;
  readonly cachedNodes: number;
  /** Finished nodes, and the done part of those at work. */
  readonly done: number;
}

/** Counts the nodes that the outputs need, and those that expansion added on the way. */
export const countNodes = (job: Job): NodeCounts => {
  const needed = job.workflow?.needed;
  let [extra, completedNodes, cachedNodes, partial] = [0, 0, 0, 0];
  for (const run of job.nodes.values()) {
    if (!isNeeded(job, run)) continue;
    if (needed !== undefined && !needed.has(run.nodeId)) extra += 1;
    if (run.state === 'cached') cachedNodes += 1;
    if (run.state === 'running') partial += run.value / run.max;
    else completedNodes += 1;
  }
  const totalNodes = needed === undefined ? 0 : needed.size + extra;
  return { totalNodes, completedNodes, cachedNodes, done: completedNodes + partial };
};

/** Nodes weigh what they take where that is known, else all alike. */
const shareOf = (counts: NodeCounts, estimate: Estimate | undefined): number => {
  if (estimate !== undefined) return percentage(percentageOf(estimate), 100);
  return counts.totalNodes === 0 ? 0 : percentage(counts.done, counts.totalNodes);
};

/** Never falls within the attempt, whatever restarts or joins. Moves `job.overall`. */
export const raiseOverall = (job: Job, counts: NodeCounts, estimate?: Estimate): number => {
  const share = shareOf(counts, estimate);
  job.overall = Math.max(job.overall, Math.min(share, TOP_BEFORE_END));
  return job.overall;
};

const byRelevance = (a: NodeRun, b: NodeRun): number => {
  const steps = Number(b.max > 1) - Number(a.max > 1);
  return steps === 0 ? b.changedAt - a.changedAt : steps;
};

export const runningNode = (job: Job, names: DisplayNames, run: NodeRun): RunningNode => ({
  ...referenceOf(job, names, run.nodeId, run.displayNodeId),
  nodeProgress: run.value,
  nodeMaxProgress: run.max,
  nodePercentage: percentage(run.value, run.max),
  nodeState: run.state === 'running' ? 'executing' : 'finished',
  ...(run.parentNodeId === undefined ? {} : { parentNodeId: run.parentNodeId }),
  ...(run.realNodeId === undefined ? {} : { realNodeId: run.realNodeId }),
});

export interface Relevant {
  /** The node that matters most now; undefined before any node ran. */
  readonly lead: NodeRun | undefined;
  /** At most 64 nodes at work, those with steps first, then the latest changed. */
  readonly running: readonly NodeRun[];
}

export const relevantNodes = (job: Job): Relevant => {
  const running = [...job.nodes.values()].filter((run) => run.state === 'running').sort(byRelevance);
  const finished = [...job.nodes.values()].findLast((run) => run.state === 'finished');
  return { lead: running[0] ?? finished, running: running.slice(0, MAX_RUNNING) };
};
