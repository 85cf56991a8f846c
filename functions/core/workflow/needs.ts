/** What a task needs of a worker: the classes of its nodes and the model files that it names. */
import { stringify } from 'lossless-json';
import { isJsonObject, ownValue, parseJsonObject, setOwn, unwrapped, type JsonObject } from './json-value.ts';
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

/** The text's nodes, each with its inputs, to be changed in place. */
const inputsOfNodes = (workflow: JsonObject): readonly JsonObject[] =>
  Object.values(workflow).flatMap((node) => {
    const inputs = isJsonObject(node) ? ownValue(node, 'inputs') : undefined;
    return isJsonObject(inputs) ? [inputs] : [];
  });

/** Respells the members that name a model of the pod in another way; answers whether there were any. */
const respell = (inputs: JsonObject, models: ReadonlySet<string>): boolean => {
  let changed = false;
  for (const [input, value] of Object.entries(inputs)) {
    if (isJsonObject(value)) changed = respell(value, models) || changed;
    if (typeof value !== 'string' || !isModelFile(value) || models.has(value)) continue;
    const listed = spellingsOf(value).find((spelling) => models.has(spelling));
    if (listed === undefined) continue;
    setOwn(inputs, input, listed);
    changed = true;
  }
  return changed;
};

/**
 * The workflow with its models spelled as one pod lists them, to be sent there: `canRun` takes `sub/x.safetensors`
 * for `sub\x.safetensors`, ComfyUI does not. The same text when nothing differs, or when it is no workflow.
 * @param models `modelsOf` the catalogue of that pod
 */
export const spelledFor = (workflowText: string, models: ReadonlySet<string>): string => {
  const workflow = parseJsonObject(workflowText);
  if (workflow === undefined) return workflowText;
  const changes = inputsOfNodes(workflow).filter((inputs) => respell(inputs, models));
  return changes.length === 0 ? workflowText : (stringify(workflow) ?? workflowText);
};
