/**
 * What of a workflow decides how long it takes: its structure, which is the key of what was measured, and how much
 * work each node has to do, by which measured times are scaled.
 */
import { createHash } from 'node:crypto';
import { isModelFile } from '../workflow/model-files.ts';

export interface ShapeNode {
  readonly classType: string;
  /** Steps × megapixels, each 1 where the node has none; 10⁻⁶ to 10⁹. */
  readonly work: number;
  /** Steps that it counts; 1 where it counts none. */
  readonly steps: number;
  /** Names a model file: when it runs instead of coming from the cache, a model is loaded. */
  readonly loadsModel: boolean;
}

export interface WorkflowShape {
  /** 32 hexadecimal digits. */
  readonly hash: string;
  /** Node id → node. A Map, because a node may be called `__proto__`. */
  readonly nodes: ReadonlyMap<string, ShapeNode>;
}

type Inputs = Readonly<Record<string, unknown>>;

interface RawNode {
  readonly classType: string;
  readonly inputs: Inputs;
  readonly links: readonly (readonly [input: string, nodeId: string, slot: number])[];
}

const MAX_NODES = 10_000;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const ownOf = (inputs: Inputs, name: string): unknown =>
  Object.hasOwn(inputs, name) ? inputs[name] : undefined;

/** A positive number among the inputs, else the other. */
const amountOf = (inputs: Inputs, name: string, otherwise: number): number => {
  const value = ownOf(inputs, name);
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : otherwise;
};

const linksOf = (inputs: Inputs): RawNode['links'] =>
  Object.entries(inputs).flatMap(([input, value]) =>
    Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'number'
      ? [[input, value[0], value[1]] as const]
      : [],
  );

const readNodes = (workflow: unknown): ReadonlyMap<string, RawNode> | undefined => {
  if (!isRecord(workflow)) return undefined;
  const entries = Object.entries(workflow);
  if (entries.length === 0 || entries.length > MAX_NODES) return undefined;
  const nodes = new Map<string, RawNode>();
  for (const [id, value] of entries) {
    if (!isRecord(value) || typeof value['class_type'] !== 'string') return undefined;
    const inputs = isRecord(value['inputs']) ? value['inputs'] : {};
    nodes.set(id, { classType: value['class_type'].slice(0, 256), inputs, links: linksOf(inputs) });
  }
  return nodes;
};

/** Megapixels that a node declares itself, with all pictures of a batch and all frames of a video; 0 for none. */
const ownPixels = (inputs: Inputs): number => {
  const [width, height] = [amountOf(inputs, 'width', 0), amountOf(inputs, 'height', 0)];
  const pictures = amountOf(inputs, 'batch_size', 1) * amountOf(inputs, 'length', 1);
  return (width * height * pictures) / 1e6;
};

/** Of each node, the megapixels that come to it: its own, else the most that a node above has. */
const pixelsOf = (nodes: ReadonlyMap<string, RawNode>): ReadonlyMap<string, number> => {
  const pixels = new Map<string, number>();
  const settle = (id: string, { inputs, links }: RawNode): void => {
    const above = links.reduce((most, [, from]) => Math.max(most, pixels.get(from) ?? 0), 0);
    pixels.set(id, ownPixels(inputs) || above * amountOf(inputs, 'scale_by', 1) ** 2);
  };
  // Depth first with a stack of its own: a chain of ten thousand nodes would overflow that of the language.
  const opened = new Set<string>();
  for (const start of nodes.keys()) {
    const stack = [start];
    for (let id = stack.at(-1); id !== undefined; id = stack.at(-1)) {
      const node = nodes.get(id);
      const first = !opened.has(id);
      opened.add(id);
      const open =
        first && node !== undefined ? node.links.flatMap(([, from]) => (opened.has(from) ? [] : [from])) : [];
      if (open.length > 0) {
        stack.push(...open);
        continue;
      }
      stack.pop();
      if (node !== undefined && !pixels.has(id)) settle(id, node);
    }
  }
  return pixels;
};

/** An advanced sampler does a part of its steps; one that takes `sigmas` does those of its scheduler. */
const stepsOf = (nodes: ReadonlyMap<string, RawNode>, { inputs, links }: RawNode): number => {
  const scheduler = links.find(([input]) => input === 'sigmas')?.[1];
  const from = scheduler === undefined ? inputs : (nodes.get(scheduler)?.inputs ?? inputs);
  const steps = amountOf(from, 'steps', 0);
  if (steps === 0) return 1;
  const end = Math.min(steps, amountOf(inputs, 'end_at_step', steps));
  return Math.max(1, end - amountOf(inputs, 'start_at_step', 0));
};

const bounded = (work: number): number => (Number.isFinite(work) ? Math.min(Math.max(work, 1e-6), 1e9) : 1);

const modelsOf = ({ inputs }: RawNode): readonly (readonly [string, string])[] =>
  Object.entries(inputs).flatMap(([input, value]) =>
    typeof value === 'string' && isModelFile(value) && !/(?:^|_)(?:prefix|output|save)(?:_|$)/i.test(input)
      ? [[input, value] as const]
      : [],
  );

const byText = (a: readonly unknown[], b: readonly unknown[]): number =>
  String(a[0]) < String(b[0]) ? -1 : 1;

/** Models and samplers count as structure: what they cost is nothing that a number could scale. */
const hashOf = (nodes: ReadonlyMap<string, RawNode>): string => {
  const parts = [...nodes].toSorted(byText).map(([id, node]) => {
    const sampler = ownOf(node.inputs, 'sampler_name');
    const links = node.links.toSorted(byText);
    return [
      id,
      node.classType,
      links,
      modelsOf(node).toSorted(byText),
      typeof sampler === 'string' ? sampler : 0,
    ];
  });
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
};

/**
 * The same for workflows that differ in prompts, seeds, steps or sizes. Undefined for what is no workflow. Never throws.
 * @param workflow in API format, as JSON.parse reads it: digits that it loses decide nothing here
 */
export const shapeOf = (workflow: unknown): WorkflowShape | undefined => {
  const raw = readNodes(workflow);
  if (raw === undefined) return undefined;
  const pixels = pixelsOf(raw);
  const nodes = new Map<string, ShapeNode>();
  for (const [id, node] of raw) {
    const steps = bounded(stepsOf(raw, node));
    const work = bounded(steps * (pixels.get(id) || 1));
    nodes.set(id, { classType: node.classType, work, steps, loadsModel: modelsOf(node).length > 0 });
  }
  return { hash: hashOf(raw), nodes };
};
