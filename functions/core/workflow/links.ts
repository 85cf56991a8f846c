/** Links between nodes: `[node id, output slot]` in place of a value. */
import { numberText } from './json-value.ts';
import type { NodeErrorList } from './node-errors.ts';
import { quoted } from './one-line.ts';
import type { Workflow, WorkflowNode } from './workflow-node.ts';

export interface Link {
  readonly nodeId: string;
  /** As it was written: `0`, but also `-1` or `1.5`. */
  readonly slot: string;
}

/** A list of a text and a number, as ComfyUI tells links from values; else undefined. */
export const readLink = (value: unknown): Link | undefined => {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [nodeId, slot] = value as readonly unknown[];
  const slotText = numberText(slot);
  return typeof nodeId === 'string' && slotText !== undefined ? { nodeId, slot: slotText } : undefined;
};

/** Whether the slot counts an output from 0. */
export const isSlot = (slot: string): boolean => /^\d{1,4}$/.test(slot);

const checkLink = (
  workflow: Workflow,
  nodeId: string,
  node: WorkflowNode,
  input: string,
  link: Link,
  errors: NodeErrorList,
): void => {
  if (!workflow.has(link.nodeId)) {
    const message = (): string =>
      `input ${quoted(input)} links to node ${quoted(link.nodeId)}, which is not there`;
    errors.add(nodeId, node.classType, 'bad_linked_input', message, input);
  } else if (!isSlot(link.slot)) {
    const slot = link.slot.slice(0, 32);
    const message = (): string =>
      `input ${quoted(input)} links to slot ${slot} of node ${quoted(link.nodeId)}; slots count from 0`;
    errors.add(nodeId, node.classType, 'bad_linked_input', message, input);
  }
};

/** Adds an error for every link to a node that is missing, or to a slot that is no whole number from 0. */
export const checkLinks = (workflow: Workflow, errors: NodeErrorList): void => {
  for (const [nodeId, node] of workflow) {
    for (const [input, value] of node.inputs) {
      const link = readLink(value);
      if (link !== undefined) checkLink(workflow, nodeId, node, input, link, errors);
    }
  }
};

interface Visit {
  readonly nodeId: string;
  readonly links: readonly (readonly [input: string, nodeId: string])[];
  next: number;
}

const visitOf = (workflow: Workflow, nodeId: string): Visit => {
  const links = [...(workflow.get(nodeId)?.inputs ?? [])].flatMap(([input, value]) => {
    const link = readLink(value);
    return link !== undefined && workflow.has(link.nodeId) ? [[input, link.nodeId] as const] : [];
  });
  return { nodeId, links, next: 0 };
};

const cycleText = (cycle: readonly Visit[]): string => {
  const names = [...cycle, ...cycle.slice(0, 1)].map(({ nodeId }) =>
    nodeId.length > 32 ? `${nodeId.slice(0, 32)}…` : nodeId,
  );
  if (names.length <= 8) return `the links form a cycle: ${names.join(' → ')}`;
  return `the links form a cycle: ${names.slice(0, 4).join(' → ')} → … (${names.length - 6} more) → ${names.slice(-2).join(' → ')}`;
};

/**
 * Adds an error for every link that closes a cycle, and names the cycle: `3 → 5 → 3` when 3 links to 5 and 5 to 3.
 * Depth first, with a stack of its own: a chain of ten thousand nodes would overflow that of the language.
 */
export const checkCycles = (workflow: Workflow, errors: NodeErrorList): void => {
  const done = new Set<string>();
  for (const start of workflow.keys()) {
    if (done.has(start)) continue;
    const path: Visit[] = [visitOf(workflow, start)];
    const depthOf = new Map([[start, 0]]);
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const step = visit.links[visit.next];
      visit.next += 1;
      if (step === undefined) {
        done.add(visit.nodeId);
        depthOf.delete(visit.nodeId);
        path.pop();
        continue;
      }
      const [input, target] = step;
      const depth = depthOf.get(target);
      if (depth !== undefined) {
        const classType = workflow.get(visit.nodeId)?.classType ?? '';
        errors.add(visit.nodeId, classType, 'dependency_cycle', () => cycleText(path.slice(depth)), input);
      } else if (!done.has(target)) {
        depthOf.set(target, path.length);
        path.push(visitOf(workflow, target));
      }
    }
  }
};
