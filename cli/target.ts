/**
 * Which input of a workflow a `--set` means. A stored workflow has named parameters; a file has none, so the name is
 * looked for in it: a path, the only input of that name, a node's title, or what a sampler's `positive` and
 * `negative` lead to.
 */
import { isLosslessNumber } from 'lossless-json';
import { CliError, EXIT } from './cli-error.ts';

type JsonObject = Readonly<Record<string, unknown>>;

interface Node {
  readonly id: string;
  readonly title: string;
  readonly inputs: readonly (readonly [name: string, value: unknown])[];
}

const isObject = (value: unknown): value is JsonObject =>
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

const pathOf = (id: string, input: string): string => `${id}.inputs.${input}`;

/** `6.inputs.text`, or `6.text` for short. */
const byPath = (name: string, nodes: readonly Node[]): string[] =>
  nodes.flatMap(({ id, inputs }) =>
    inputs
      .filter(([input]) => name === pathOf(id, input) || name === `${id}.${input}`)
      .map(([input]) => pathOf(id, input)),
  );

const byInput = (name: string, nodes: readonly Node[]): string[] =>
  nodes.flatMap(({ id, inputs }) =>
    inputs.filter(([input, value]) => input === name && isWidget(value)).map(([input]) => pathOf(id, input)),
  );

const textsOf = ({ id, inputs }: Node): string[] =>
  inputs.filter(([, value]) => typeof value === 'string').map(([input]) => pathOf(id, input));

const byTitle = (name: string, nodes: readonly Node[]): string[] =>
  nodes
    .filter(({ title }) => title.toLowerCase() === name.toLowerCase())
    .flatMap((node) => {
      const texts = textsOf(node);
      return texts.length === 1 ? texts : [];
    });

const LINKS: ReadonlyMap<string, string> = new Map([
  ['prompt', 'positive'],
  ['positive', 'positive'],
  ['negative', 'negative'],
  ['negative_prompt', 'negative'],
]);

/** Follows links of that name for a few nodes: conditioning may pass through others on its way to the sampler. */
const byLink = (name: string, nodes: readonly Node[]): string[] => {
  const link = LINKS.get(name);
  if (link === undefined) return [];
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const found = new Set<string>();
  const linked = ({ inputs }: Node, wanted: string): Node[] =>
    inputs
      .filter(([input, value]) => input === wanted && Array.isArray(value))
      .flatMap(([, value]) => byId.get(String((value as readonly unknown[])[0])) ?? []);
  let level = nodes.flatMap((node) => linked(node, link));
  for (let depth = 0; depth < 4 && level.length > 0; depth += 1) {
    for (const node of level) for (const text of textsOf(node)) found.add(text);
    level = level.flatMap((node) => [...linked(node, link), ...linked(node, 'conditioning')]);
  }
  return [...found];
};

/**
 * The path of the input that `name` means in `workflow`.
 * @throws CliError when there is none, or more than one
 */
export const targetOf = (name: string, workflow: unknown): string => {
  const nodes = nodesOf(workflow);
  for (const find of [byPath, byInput, byTitle, byLink]) {
    const found = [...new Set(find(name, nodes))];
    if (found.length === 1 && found[0] !== undefined) return found[0];
    if (found.length > 1)
      throw new CliError(
        EXIT.usage,
        `--set ${name}: there are several; use one of ${found.slice(0, 8).join(', ')}`,
      );
  }
  const some = nodes.flatMap(({ id, inputs }) =>
    inputs.filter(([, value]) => isWidget(value)).map(([input]) => pathOf(id, input)),
  );
  throw new CliError(
    EXIT.usage,
    `--set ${name}: the workflow has no such input; it has ${some.slice(0, 12).join(', ')}${some.length > 12 ? ', …' : ''}`,
  );
};
