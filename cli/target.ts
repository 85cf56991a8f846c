/**
 * Which input of a workflow a `--set` means. A stored workflow has named parameters; a file has none, so the name is
 * looked for in it: a path, the only input of that name, a node's title, or what a sampler's `positive` and
 * `negative` lead to.
 */
import { isLosslessNumber } from 'lossless-json';
import { CliError, EXIT } from './cli-error.ts';

export interface Target {
  /** `<nodeId>.inputs.<input>`, as the task API takes it. */
  readonly path: string;
  /** What the workflow has there now; numbers as lossless-json reads them. */
  readonly value: unknown;
}

type JsonObject = Readonly<Record<string, unknown>>;

interface Node {
  readonly id: string;
  readonly title: string;
  readonly inputs: readonly (readonly [name: string, value: unknown])[];
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isLosslessNumber(value);

const isWidget = (value: unknown): boolean => !Array.isArray(value) && !isObject(value);

const nodesOf = (workflow: unknown): Node[] =>
  isObject(workflow)
    ? Object.entries(workflow).flatMap(([id, node]) => {
        if (!isObject(node) || !isObject(node['inputs'])) return [];
        const meta = isObject(node['_meta']) ? node['_meta']['title'] : undefined;
        const title = typeof meta === 'string' ? meta : '';
        return [{ id, title, inputs: Object.entries(node['inputs']) }];
      })
    : [];

const targetIn = (id: string, [input, value]: readonly [string, unknown]): Target => ({
  path: `${id}.inputs.${input}`,
  value,
});

const select = (
  nodes: readonly Node[],
  wanted: (node: Node, input: string, value: unknown) => boolean,
): Target[] =>
  nodes.flatMap((node) =>
    node.inputs
      .filter(([input, value]) => wanted(node, input, value))
      .map((entry) => targetIn(node.id, entry)),
  );

const byPath = (name: string, nodes: readonly Node[]): Target[] =>
  select(nodes, ({ id }, input) => name === `${id}.inputs.${input}`);

/** `6.text` for short. */
const byShortPath = (name: string, nodes: readonly Node[]): Target[] =>
  select(nodes, ({ id }, input) => name === `${id}.${input}`);

const byInput = (name: string, nodes: readonly Node[]): Target[] =>
  select(nodes, (_, input, value) => input === name && isWidget(value));

/** The advanced samplers' word for the same. */
const bySeed = (name: string, nodes: readonly Node[]): Target[] =>
  name === 'seed' ? byInput('noise_seed', nodes) : [];

/** What a node that makes text or conditioning calls its text; its other texts are choices. */
const TEXT_INPUTS: ReadonlySet<string> = new Set([
  'text',
  'text_g',
  'text_l',
  'clip_l',
  't5xxl',
  'prompt',
  'string',
  'value',
]);

const textsOf = (node: Node): Target[] => {
  const texts = select([node], (_, __, value) => typeof value === 'string');
  const named = select([node], (_, input, value) => typeof value === 'string' && TEXT_INPUTS.has(input));
  if (named.length > 0) return named;
  return texts.length === 1 ? texts : [];
};

/** The node's one value, or its one text. */
const byTitle = (name: string, nodes: readonly Node[]): Target[] =>
  nodes
    .filter(({ title }) => title.toLowerCase() === name.toLowerCase())
    .flatMap((node) => {
      const widgets = select([node], (_, __, value) => isWidget(value));
      return widgets.length === 1 ? widgets : textsOf(node);
    });

const LINKS: ReadonlyMap<string, string> = new Map([
  ['prompt', 'positive'],
  ['positive', 'positive'],
  ['positive_prompt', 'positive'],
  ['negative', 'negative'],
  ['negative_prompt', 'negative'],
]);
/** Nodes that may stand between a sampler and the text: ControlNet, guidance, masks, a text of its own. */
const MAX_DEPTH = 8;

/** Follows links of that name: conditioning may pass through others on its way to the sampler. */
const byLink = (name: string, nodes: readonly Node[]): Target[] => {
  const link = LINKS.get(name);
  if (link === undefined) return [];
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const linked = ({ inputs }: Node, wanted: readonly string[]): Node[] =>
    inputs
      .filter(([input, value]) => wanted.includes(input) && Array.isArray(value))
      .flatMap(([, value]) => byId.get(String((value as readonly unknown[])[0])) ?? []);
  const found = new Map<string, Target>();
  const starts = nodes.flatMap((node) => linked(node, [link]));
  // Guiders have one conditioning, which is a positive one.
  const guided = link === 'positive' ? nodes.flatMap((node) => linked(node, ['conditioning'])) : [];
  let level = starts.length > 0 ? starts : guided;
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth += 1) {
    for (const target of level.flatMap(textsOf)) found.set(target.path, target);
    const further = level.flatMap((node) => linked(node, [link, 'conditioning', ...TEXT_INPUTS]));
    level = [...new Set(further)];
  }
  return [...found.values()];
};

const someOf = (targets: readonly Target[], most: number): string => {
  const paths = targets.slice(0, most).map(({ path }) => path);
  return `${paths.join(', ')}${targets.length > most ? ', …' : ''}`;
};

/**
 * What `name` means in `workflow`, which lossless-json has read.
 * @throws CliError when it means nothing, or more than one input
 */
export const targetOf = (name: string, workflow: unknown): Target => {
  const nodes = nodesOf(workflow);
  for (const find of [byPath, byShortPath, byInput, bySeed, byTitle, byLink]) {
    const found = find(name, nodes);
    const [first, second] = found;
    if (first !== undefined && second === undefined) return first;
    if (second !== undefined)
      throw new CliError(EXIT.usage, `${name}: there are several; use one of ${someOf(found, 8)}`);
  }
  const all = select(nodes, (_, __, value) => isWidget(value));
  const known = all.length === 0 ? 'it has no inputs' : `it has ${someOf(all, 12)}`;
  throw new CliError(EXIT.usage, `${name}: the workflow has no such input; ${known}`);
};
