/**
 * A workflow against what a pod knows, before it is queued. Follows ComfyUI: unknown classes anywhere are refused,
 * everything else counts only for nodes that lead to an output, and one sound output is enough to run.
 * Source: https://github.com/Comfy-Org/ComfyUI/blob/master/execution.py and, for types,
 * https://github.com/Comfy-Org/ComfyUI/blob/master/comfy_execution/validation.py
 */
import type { CatalogueClass, CatalogueInput } from './catalogue-class.ts';
import type { Catalogue } from './catalogue.ts';
import { checkValue, outputTypeAt, typesFit, type Finding } from './check-input.ts';
import { isSlot, readLink, type Link } from './links.ts';
import { similarTo } from './nearest.ts';
import { NodeErrorList, type NodeErrors } from './node-errors.ts';
import { quoted } from './one-line.ts';
import type { Workflow, WorkflowNode } from './workflow-node.ts';

export type Verdict =
  | {
      readonly kind: 'ok';
      /** Present when ComfyUI would run the workflow, but leave out outputs that depend on these nodes. */
      readonly nodeErrors?: NodeErrors;
    }
  | {
      readonly kind: 'invalid';
      /** ComfyUI's word for the whole. */
      readonly type: 'missing_node_type' | 'prompt_no_outputs' | 'prompt_outputs_failed_validation';
      /** One line, at most 300 characters. */
      readonly message: string;
      readonly nodeErrors: NodeErrors;
    };

interface Judged {
  readonly verdict: Verdict;
  readonly errorCount: number;
}

const classOf = (catalogue: Catalogue, name: string): CatalogueClass | undefined =>
  Object.hasOwn(catalogue.classes, name) ? catalogue.classes[name] : undefined;

const findUnknownClasses = (workflow: Workflow, catalogue: Catalogue): NodeErrorList => {
  const errors = new NodeErrorList();
  const names = Object.keys(catalogue.classes);
  for (const [id, { classType }] of workflow) {
    if (classOf(catalogue, classType) !== undefined) continue;
    errors.add(id, classType, 'missing_node_type', () => {
      const similar = similarTo(classType, names).map(quoted);
      const hint = similar.length === 0 ? '' : `; did you mean ${similar.join(' or ')}?`;
      return `there is no node class ${quoted(classType)} here${hint}`;
    });
  }
  return errors;
};

interface Frame {
  readonly id: string;
  readonly needs: readonly string[];
  next: number;
}

/** Looks at each node once. A stack of its own, not the language's: chains may have ten thousand nodes. */
class Validation {
  readonly errors = new NodeErrorList();
  private readonly workflow: Workflow;
  private readonly catalogue: Catalogue;
  /** Node id → whether it and all that it needs are sound, as far as they were looked at. */
  private readonly sound = new Map<string, boolean>();

  constructor(workflow: Workflow, catalogue: Catalogue) {
    this.workflow = workflow;
    this.catalogue = catalogue;
  }

  /** Whether the node and all that it needs would pass. */
  isSound(outputId: string): boolean {
    const stack = this.sound.has(outputId) ? [] : [this.enter(outputId)];
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const need = frame.needs[frame.next];
      if (need === undefined) {
        stack.pop();
      } else if (!this.sound.has(need)) {
        // Comes back to the same need when that one is settled.
        stack.push(this.enter(need));
      } else {
        if (this.sound.get(need) === false) this.sound.set(frame.id, false);
        frame.next += 1;
      }
    }
    return this.sound.get(outputId) ?? false;
  }

  private enter(id: string): Frame {
    const node = this.workflow.get(id);
    const entry = node === undefined ? undefined : classOf(this.catalogue, node.classType);
    const before = this.errors.count;
    const needs =
      node === undefined || entry === undefined
        ? []
        : [
            ...this.checkInputs(id, node, entry.required, true),
            ...this.checkInputs(id, node, entry.optional, false),
            ...this.dynamicNeeds(node, entry),
          ];
    this.sound.set(id, this.errors.count === before);
    return { id, needs, next: 0 };
  }

  /** Answers the nodes that the inputs link to. */
  private checkInputs(
    id: string,
    node: WorkflowNode,
    inputs: Readonly<Record<string, CatalogueInput>>,
    required: boolean,
  ): readonly string[] {
    const needs: string[] = [];
    for (const [name, input] of Object.entries(inputs)) {
      const finding = this.checkInput(name, node, input, required);
      if (finding !== undefined) this.errors.add(id, node.classType, finding.type, finding.describe, name);
      const link = readLink(node.inputs.get(name));
      if (link !== undefined && this.workflow.has(link.nodeId)) needs.push(link.nodeId);
    }
    return needs;
  }

  private checkInput(
    name: string,
    node: WorkflowNode,
    input: CatalogueInput,
    required: boolean,
  ): Finding | undefined {
    if (!node.inputs.has(name)) {
      if (!required || input.dynamic === true) return undefined;
      return {
        type: 'required_input_missing',
        describe: () => `the required input ${quoted(name)} is missing`,
      };
    }
    const value = node.inputs.get(name);
    if (!Array.isArray(value)) return checkValue(name, value, input);
    if (input.dynamic === true) return undefined;
    const link = readLink(value);
    if (link !== undefined) return this.checkLink(name, link, input);
    const describe = (): string =>
      `${quoted(name)} is a list, but no link of a node id in quotes and a slot number`;
    return { type: 'bad_linked_input', describe };
  }

  private checkLink(name: string, { nodeId, slot }: Link, input: CatalogueInput): Finding | undefined {
    const source = this.workflow.get(nodeId);
    const entry = source === undefined ? undefined : classOf(this.catalogue, source.classType);
    if (source === undefined || entry === undefined || !isSlot(slot)) {
      const describe = (): string =>
        `${quoted(name)} links to slot ${slot.slice(0, 32)} of node ${quoted(nodeId)}, which is not there`;
      return { type: 'bad_linked_input', describe };
    }
    const received = outputTypeAt(entry.outputs, Number(slot));
    const from = `slot ${slot} of node ${quoted(nodeId)} (${quoted(source.classType)})`;
    if (received === undefined) {
      const count = entry.outputs?.length ?? 0;
      const describe = (): string =>
        `${quoted(name)} links to ${from}, which has ${count} output${count === 1 ? '' : 's'}`;
      return { type: 'bad_linked_input', describe };
    }
    if (typesFit(received, input.type)) return undefined;
    const describe = (): string =>
      `${quoted(name)} takes ${quoted(input.type)}, but ${from} gives ${quoted(received)}`;
    return { type: 'return_type_mismatch', describe };
  }

  /** Nodes behind inputs that only the workflow knows: `images.image0` of the declared, growing input `images`. */
  private dynamicNeeds(node: WorkflowNode, entry: CatalogueClass): readonly string[] {
    const declared = Object.entries({ ...entry.required, ...entry.optional });
    const prefixes = declared.filter(([, input]) => input.dynamic === true).map(([name]) => `${name}.`);
    if (prefixes.length === 0) return [];
    return [...node.inputs].flatMap(([name, value]) => {
      const link = prefixes.some((prefix) => name.startsWith(prefix)) ? readLink(value) : undefined;
      return link !== undefined && this.workflow.has(link.nodeId) ? [link.nodeId] : [];
    });
  }
}

const judge = (workflow: Workflow, catalogue: Catalogue): Judged => {
  const unknown = findUnknownClasses(workflow, catalogue);
  if (unknown.count > 0) return refusal('missing_node_type', unknown);
  const outputs = [...workflow]
    .filter(([, { classType }]) => classOf(catalogue, classType)?.outputNode === true)
    .map(([id]) => id);
  if (outputs.length === 0) return NO_OUTPUTS;
  const validation = new Validation(workflow, catalogue);
  const sound = outputs.filter((id) => validation.isSound(id));
  if (sound.length === 0) return refusal('prompt_outputs_failed_validation', validation.errors);
  if (sound.length === outputs.length) return { verdict: { kind: 'ok' }, errorCount: 0 };
  return { verdict: { kind: 'ok', nodeErrors: validation.errors.toNodeErrors() }, errorCount: 0 };
};

const refusal = (
  type: 'missing_node_type' | 'prompt_outputs_failed_validation',
  errors: NodeErrorList,
): Judged => ({
  verdict: { kind: 'invalid', type, message: errors.message(), nodeErrors: errors.toNodeErrors() },
  errorCount: errors.count,
});

const NO_OUTPUTS: Judged = {
  verdict: {
    kind: 'invalid',
    type: 'prompt_no_outputs',
    message: 'the workflow has no output node such as SaveImage: nothing would be kept',
    nodeErrors: {},
  },
  errorCount: 1,
};

/** Whether a pod with this catalogue would run the workflow. Never stricter than ComfyUI, as far as that can be known. */
export const validateAgainst = (workflow: Workflow, catalogue: Catalogue): Verdict =>
  judge(workflow, catalogue).verdict;

/**
 * Whether any of the pods would run it. Without catalogues nothing is known, and all passes; where none accepts it,
 * the answer is that of the pod with the fewest errors, of which the first counts.
 */
export const validateForPods = (workflow: Workflow, catalogues: readonly Catalogue[]): Verdict => {
  let closest: Judged | undefined;
  for (const catalogue of new Set(catalogues)) {
    const judged = judge(workflow, catalogue);
    if (judged.verdict.kind === 'ok' && judged.verdict.nodeErrors === undefined) return judged.verdict;
    if (closest === undefined || judged.errorCount < closest.errorCount) closest = judged;
  }
  return closest?.verdict ?? { kind: 'ok' };
};
