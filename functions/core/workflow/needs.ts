/** What a task needs of a worker: the classes of its nodes and the model files that it names. */
import { isJsonObject, ownValue } from './json-value.ts';
import { isModelFile, spellingsOf } from './model-files.ts';
import { quoted } from './one-line.ts';
import type { Workflow } from './workflow-node.ts';

export interface WorkflowNeeds {
  /** Sorted, each once. */
  readonly classes: readonly string[];
  /** Sorted, each once, spelled as the workflow does. */
  readonly models: readonly string[];
}

/** What one worker has: `classes` and `modelsOf` of its catalogue. */
export interface WorkerOffer {
  readonly classes: ReadonlySet<string>;
  readonly models: ReadonlySet<string>;
}

/** Names of files that a node writes, which no pod lists yet. */
const isWritten = (input: string): boolean => /(?:^|_)(?:prefix|output|save)(?:_|$)/i.test(input);

/** The value of a widget; ComfyUI wraps lists and some texts in `__value__`. */
const unwrapped = (value: unknown): unknown =>
  isJsonObject(value) ? (ownValue(value, '__value__') ?? value) : value;

/** Models are texts with the extension of a model file; URLs, absolute paths and names to write are none. */
export const needsOf = (workflow: Workflow): WorkflowNeeds => {
  const classes = new Set<string>();
  const models = new Set<string>();
  for (const node of workflow.values()) {
    classes.add(node.classType);
    for (const [input, raw] of node.inputs) {
      const value = unwrapped(raw);
      if (typeof value === 'string' && isModelFile(value) && !isWritten(input)) models.add(value);
    }
  }
  return { classes: [...classes].sort(), models: [...models].sort() };
};

/** A pod on Windows lists `sub\model.safetensors`, one on Linux `sub/model.safetensors`. */
const hasModel = (offer: WorkerOffer, model: string): boolean =>
  spellingsOf(model).some((spelling) => offer.models.has(spelling));

/** Whether the worker has every class and every model, in either spelling of paths. */
export const canRun = (needs: WorkflowNeeds, offer: WorkerOffer): boolean =>
  needs.classes.every((name) => offer.classes.has(name)) &&
  needs.models.every((model) => hasModel(offer, model));

/** What the worker lacks, each for a message: `node class "X"`, `model "y.safetensors"`. Empty when it can run. */
export const missingOf = (needs: WorkflowNeeds, offer: WorkerOffer): readonly string[] => [
  ...needs.classes.filter((name) => !offer.classes.has(name)).map((name) => `node class ${quoted(name)}`),
  ...needs.models.filter((model) => !hasModel(offer, model)).map((model) => `model ${quoted(model)}`),
];
