/** What of a workflow a person may want to change: a few parameters by name, and every plain input by node. */
import { fieldsOf, parseJson, textOf, type Fields } from '../../client/guards.ts';
import { rawValue, type ValuePath } from './edit-workflow.ts';

/** How a value is typed in, and what is accepted. */
export type FieldKind =
  'text' | 'longText' | 'seed' | 'whole' | 'number' | 'boolean' | 'json' | 'image' | 'audio' | 'video';

export interface Parameter {
  /** Unique within the workflow. */
  readonly id: string;
  readonly label: string;
  readonly kind: FieldKind;
  /** All of them get the value; at least one. */
  readonly paths: readonly [ValuePath, ...ValuePath[]];
  /** The value as JSON text, with all its digits. */
  readonly raw: string;
}

export interface NodeInputs {
  readonly nodeId: string;
  readonly title: string;
  readonly classType: string;
  readonly inputs: readonly Parameter[];
}

export interface WorkflowForm {
  /** The few that matter most, the prompt first. */
  readonly main: readonly Parameter[];
  /** Every plain input, node by node, in the order of the file. */
  readonly nodes: readonly NodeInputs[];
}

/** Names → `<nodeId>.inputs.<input>`, one or several, as the task API keeps them of a stored workflow. */
export type NamedParameters = Readonly<Record<string, string | readonly string[]>>;

/** A workflow of more nodes is submitted all the same; the form shows the first. */
const MAX_NODES = 2000;
const LONG_TEXT = 60;

const linkOf = (value: unknown): string | undefined =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' ? value[0] : undefined;

const inputsOf = (workflow: Fields, nodeId: string): Fields | undefined =>
  Object.hasOwn(workflow, nodeId) ? fieldsOf(fieldsOf(workflow[nodeId])?.['inputs']) : undefined;

const classOf = (workflow: Fields, nodeId: string): string =>
  textOf(fieldsOf(workflow[nodeId])?.['class_type']) ?? '';

const titleOf = (workflow: Fields, nodeId: string): string => {
  const title = textOf(fieldsOf(fieldsOf(workflow[nodeId])?.['_meta'])?.['title'])?.trim();
  return title === undefined || title === '' ? classOf(workflow, nodeId) : title;
};

const TEXT_INPUTS = ['text', 'text_g', 'prompt', 't5xxl', 'value', 'string'];

/** Follows links through whatever stands between (a ControlNet, a guidance) to the node that holds the text. */
const textPlace = (workflow: Fields, start: string, side: string): ValuePath | undefined => {
  const seen = new Set<string>();
  let at: string | undefined = start;
  while (at !== undefined && !seen.has(at)) {
    seen.add(at);
    const inputs = inputsOf(workflow, at);
    const input = TEXT_INPUTS.find((name) => typeof inputs?.[name] === 'string');
    if (input !== undefined) return [at, 'inputs', input];
    at = [side, 'conditioning', ...TEXT_INPUTS]
      .map((name) => linkOf(inputs?.[name]))
      .find((id) => id !== undefined);
  }
  return undefined;
};

const samePath = (a: ValuePath, b: ValuePath): boolean => a[0] === b[0] && a[2] === b[2];

/** Where the texts are that the samplers' `positive` (or `negative`) leads to; none twice. */
const textPlaces = (workflow: Fields, side: 'positive' | 'negative'): ValuePath[] => {
  const found: ValuePath[] = [];
  for (const nodeId of Object.keys(workflow)) {
    const inputs = inputsOf(workflow, nodeId);
    const start = linkOf(inputs?.[side]) ?? (side === 'positive' ? linkOf(inputs?.['guider']) : undefined);
    const place = start === undefined ? undefined : textPlace(workflow, start, side);
    if (place !== undefined && !found.some((other) => samePath(other, place))) found.push(place);
  }
  return found;
};

const LABELS: readonly (readonly [input: string, label: string, kind: FieldKind])[] = [
  ['ckpt_name', 'Checkpoint', 'text'],
  ['unet_name', 'Diffusion model', 'text'],
  ['lora_name', 'LoRA', 'text'],
  ['steps', 'Steps', 'whole'],
  ['cfg', 'Guidance (CFG)', 'number'],
  ['guidance', 'Guidance', 'number'],
  ['width', 'Width', 'whole'],
  ['height', 'Height', 'whole'],
  ['batch_size', 'Batch size', 'whole'],
  ['denoise', 'Denoise', 'number'],
  ['sampler_name', 'Sampler', 'text'],
  ['scheduler', 'Scheduler', 'text'],
];

const FILE_KINDS: readonly (readonly [className: RegExp, input: string, kind: FieldKind])[] = [
  [/^LoadImage/, 'image', 'image'],
  [/^LoadAudio/, 'audio', 'audio'],
  [/^(VHS_)?LoadVideo/, 'video', 'video'],
  [/^(VHS_)?LoadVideo/, 'file', 'video'],
];

const fileKind = (classType: string, input: string): FieldKind | undefined =>
  FILE_KINDS.find(([className, name]) => name === input && className.test(classType))?.[2];

const isSeed = (input: string): boolean => input === 'seed' || input === 'noise_seed';

const kindOf = (classType: string, input: string, value: unknown): FieldKind => {
  const known = LABELS.find(([name]) => name === input)?.[2];
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return isSeed(input) ? 'seed' : known === 'whole' ? 'whole' : 'number';
  if (typeof value !== 'string') return 'json';
  const long = TEXT_INPUTS.includes(input) || value.length > LONG_TEXT || value.includes('\n');
  return fileKind(classType, input) ?? (long ? 'longText' : 'text');
};

class FormFinder {
  readonly #text: string;
  readonly #workflow: Fields;
  readonly #named: NamedParameters;

  constructor(text: string, named: NamedParameters) {
    this.#text = text;
    this.#workflow = fieldsOf(parseJson(text)) ?? {};
    this.#named = named;
  }

  form(): WorkflowForm {
    const ids = Object.keys(this.#workflow).slice(0, MAX_NODES);
    const named = this.#namedParameters();
    return { main: named.length > 0 ? named : this.#found(ids), nodes: ids.flatMap((id) => this.#node(id)) };
  }

  #value([nodeId, , input]: ValuePath): unknown {
    const inputs = inputsOf(this.#workflow, nodeId);
    return inputs !== undefined && Object.hasOwn(inputs, input) ? inputs[input] : undefined;
  }

  /** Only a number that JavaScript cannot hold is looked up in the text, for that takes a walk through all of it. */
  #raw(path: ValuePath, value: unknown): string {
    const exact = typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value);
    return (exact ? undefined : rawValue(this.#text, path)) ?? JSON.stringify(value);
  }

  /** Undefined when there is no plain value at its first place. */
  #parameter(
    id: string,
    label: string,
    paths: readonly ValuePath[],
    kind?: FieldKind,
  ): Parameter | undefined {
    const [first, ...rest] = paths;
    const value = first === undefined ? undefined : this.#value(first);
    if (first === undefined || value === undefined || linkOf(value) !== undefined) return undefined;
    const raw = this.#raw(first, value);
    const own = kindOf(classOf(this.#workflow, first[0]), first[2], value);
    return { id, label, kind: kind ?? own, paths: [first, ...rest], raw };
  }

  #node(nodeId: string): NodeInputs[] {
    const inputs = Object.keys(inputsOf(this.#workflow, nodeId) ?? {}).flatMap((input) => {
      const path: ValuePath = [nodeId, 'inputs', input];
      return this.#parameter(`${nodeId}.inputs.${input}`, input, [path]) ?? [];
    });
    const classType = classOf(this.#workflow, nodeId);
    return inputs.length === 0 ? [] : [{ nodeId, title: titleOf(this.#workflow, nodeId), classType, inputs }];
  }

  #namedParameters(): Parameter[] {
    return Object.entries(this.#named).flatMap(([name, targets]) => {
      const paths = (typeof targets === 'string' ? [targets] : targets).flatMap((target): ValuePath[] => {
        const at = target.lastIndexOf('.inputs.');
        return at < 1 ? [] : [[target.slice(0, at), 'inputs', target.slice(at + '.inputs.'.length)]];
      });
      return this.#parameter(`named.${name}`, name, paths) ?? [];
    });
  }

  #texts(side: 'positive' | 'negative', label: string): Parameter[] {
    const places = textPlaces(this.#workflow, side);
    return places.flatMap((path, at) => {
      const which = places.length > 1 ? ` · ${titleOf(this.#workflow, path[0])} ${path[0]}` : '';
      return (
        this.#parameter(at === 0 ? side : `${side}.${path[0]}`, `${label}${which}`, [path], 'longText') ?? []
      );
    });
  }

  #seeds(ids: readonly string[]): Parameter[] {
    const paths = ids
      .flatMap((id): ValuePath[] => [
        [id, 'inputs', 'seed'],
        [id, 'inputs', 'noise_seed'],
      ])
      .filter((path) => typeof this.#value(path) === 'number');
    return [this.#parameter('seed', 'Seed', paths, 'seed') ?? []].flat();
  }

  /** Files that a workflow loads: each has a field of its own. */
  #files(ids: readonly string[]): Parameter[] {
    return ids.flatMap((id) => {
      const classType = classOf(this.#workflow, id);
      return Object.keys(inputsOf(this.#workflow, id) ?? {}).flatMap((input) => {
        const kind = fileKind(classType, input);
        if (kind === undefined) return [];
        const label = `${titleOf(this.#workflow, id)} · ${input}`;
        return this.#parameter(`file.${id}.${input}`, label, [[id, 'inputs', input]], kind) ?? [];
      });
    });
  }

  /** The first plain input of that name; where there are more, those of the same value go with it. */
  #common(ids: readonly string[]): Parameter[] {
    return LABELS.flatMap(([input, label, kind]) => {
      const paths = ids.map((id): ValuePath => [id, 'inputs', input]);
      const first = paths.find((path) => {
        const type = typeof this.#value(path);
        return type === (kind === 'text' ? 'string' : 'number');
      });
      if (first === undefined) return [];
      const same = paths.filter((path) => path !== first && this.#value(path) === this.#value(first));
      return this.#parameter(input, label, [first, ...same], kind) ?? [];
    });
  }

  #found(ids: readonly string[]): Parameter[] {
    const texts = [...this.#texts('positive', 'Prompt'), ...this.#texts('negative', 'Negative prompt')];
    return [...texts, ...this.#files(ids), ...this.#seeds(ids), ...this.#common(ids)];
  }
}

/** `text` must be a workflow in API format (see `readWorkflowText`). */
export const findParameters = (text: string, named: NamedParameters = {}): WorkflowForm =>
  new FormFinder(text, named).form();
