/** Checks a prompt before it is queued, and answers as validation-errors.jsonl of the recordings shows. */
import { classOf, inputsOf, nodeOf, ownValue, readLink } from './graph-link.ts';
import type { Catalogue, CatalogueEntry, InputSpec } from './node-catalogue.ts';
import type { Folders } from './output-files.ts';
import type { JsonObject } from './python-json.ts';
import { pythonRepr } from './python-json.ts';
import type { ErrorItem } from './validation-error.ts';
import { coerceValue } from './value-coercion.ts';

export interface Validation {
  readonly error: ErrorItem | null;
  /** Output nodes that may run, in prompt order. */
  readonly outputs: readonly string[];
  readonly nodeErrors: JsonObject;
}

/** Deeper chains end in a RecursionError, as in Python. */
const MAX_CHAIN = 2000;
const STACK_TURN = 100;

/** What Python would have raised while looking at a node. */
class PythonError extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

interface Verdict {
  valid: boolean;
  errors: ErrorItem[];
}

/**
 * Validates every output node and all they need; numbers are brought to their declared type in place.
 * @param targets when given, only these output nodes count.
 */
export async function validatePrompt(
  prompt: JsonObject,
  catalogue: Catalogue,
  folders: Folders,
  targets: ReadonlySet<string> | null = null,
): Promise<Validation> {
  const outputs = findOutputs(prompt, catalogue);
  if (!Array.isArray(outputs)) return refused(outputs);
  const wanted = targets ? outputs.filter((id) => targets.has(id)) : outputs;
  if (wanted.length === 0) return refused(problem('prompt_no_outputs', 'Prompt has no outputs', ''));
  return new PromptValidator(prompt, catalogue, folders).run(wanted);
}

function refused(error: ErrorItem): Validation {
  return { error, outputs: [], nodeErrors: {} };
}

export function problem(type: string, message: string, details: string, extra: JsonObject = {}): ErrorItem {
  return { type, message, details, extra_info: extra };
}

function findOutputs(prompt: JsonObject, catalogue: Catalogue): string[] | ErrorItem {
  const outputs: string[] = [];
  for (const id of Object.keys(prompt)) {
    const className = classOf(nodeOf(prompt, id));
    const entry = catalogue.get(className);
    if (!entry) {
      const what = className === '' ? 'a node has no class_type' : `node ${className} does not exist`;
      return problem('invalid_prompt', `Cannot execute because ${what}.`, `Node ID '#${id}'`);
    }
    if (entry.isOutput) outputs.push(id);
  }
  return outputs;
}

class PromptValidator {
  private readonly prompt: JsonObject;
  private readonly catalogue: Catalogue;
  private readonly folders: Folders;
  private readonly verdicts = new Map<string, Verdict>();
  private readonly dependents = new Map<string, string[]>();

  constructor(prompt: JsonObject, catalogue: Catalogue, folders: Folders) {
    this.prompt = prompt;
    this.catalogue = catalogue;
    this.folders = folders;
  }

  async run(outputs: readonly string[]): Promise<Validation> {
    const good: string[] = [];
    const own: ErrorItem[] = [];
    for (const id of outputs) {
      const verdict = await this.checkOutput(id);
      if (verdict.valid) good.push(id);
      else {
        own.push(...verdict.errors);
        this.blame(id);
      }
    }
    const details = own.map((item) => `${item.message}: ${item.details}`).join('\n');
    const failed = problem('prompt_outputs_failed_validation', 'Prompt outputs failed validation', details);
    return { error: good.length === 0 ? failed : null, outputs: good, nodeErrors: this.nodeErrors() };
  }

  private async checkOutput(id: string): Promise<Verdict> {
    try {
      return await this.check(id, 0);
    } catch (error) {
      if (!(error instanceof PythonError)) throw error;
      const item = problem('exception_during_validation', 'Exception when validating node', error.message, {
        exception_type: error.type,
        traceback: traceback(),
      });
      const verdict = { valid: false, errors: [item] };
      this.verdicts.set(id, verdict);
      return verdict;
    }
  }

  private async check(id: string, depth: number): Promise<Verdict> {
    const known = this.verdicts.get(id);
    if (known) return known;
    if (depth > MAX_CHAIN) throw new PythonError('RecursionError', 'maximum recursion depth exceeded');
    // A long chain must not grow the stack: from time to time it goes on with a fresh one.
    if (depth % STACK_TURN === STACK_TURN - 1) await Promise.resolve();
    const entry = this.catalogue.get(classOf(nodeOf(this.prompt, id)));
    if (!entry) throw new PythonError('KeyError', pythonRepr(id));
    const verdict: Verdict = { valid: true, errors: [] };
    const inputs = inputsOf(nodeOf(this.prompt, id));
    for (const spec of entry.inputs) await this.checkInput(spec, inputs, entry, verdict, depth);
    await this.checkCustom(entry, inputs, verdict);
    if (verdict.errors.length > 0) verdict.valid = false;
    this.verdicts.set(id, verdict);
    return verdict;
  }

  private async checkInput(
    spec: InputSpec,
    inputs: JsonObject,
    entry: CatalogueEntry,
    verdict: Verdict,
    depth: number,
  ): Promise<void> {
    const value = ownValue(inputs, spec.name);
    if (value === undefined) {
      if (!spec.required) return;
      const extra = { input_name: spec.name };
      verdict.errors.push(problem('required_input_missing', 'Required input is missing', spec.name, extra));
    } else if (Array.isArray(value)) {
      await this.checkLink(spec, value, verdict, depth);
    } else {
      const error = coerceValue(spec, inputs, entry.node.refuse !== undefined);
      if (error) verdict.errors.push(error);
    }
  }

  private async checkLink(spec: InputSpec, value: unknown[], verdict: Verdict, depth: number): Promise<void> {
    const link = readLink(value);
    if (!link) {
      verdict.errors.push(linkProblem('bad_linked_input', 'Not a link of a node id and a slot', spec, value));
      return;
    }
    const from = this.catalogue.get(classOf(nodeOf(this.prompt, link.nodeId)));
    if (!from) throw new PythonError('KeyError', pythonRepr(link.nodeId));
    const received = from.outputs[link.slot];
    if (received === undefined) throw new PythonError('IndexError', 'tuple index out of range');
    if (!typesFit(received, spec.type)) {
      const details = `${spec.name}, received_type(${received}) mismatch input_type(${spec.type})`;
      verdict.errors.push({
        ...linkProblem('return_type_mismatch', 'The linked output has another type', spec, value),
        details,
        extra_info: {
          input_name: spec.name,
          input_config: spec.raw,
          received_type: received,
          linked_node: value,
        },
      });
      return;
    }
    await this.checkInner(link.nodeId, spec, value, verdict, depth);
  }

  private async checkInner(
    id: string,
    spec: InputSpec,
    link: unknown[],
    verdict: Verdict,
    depth: number,
  ): Promise<void> {
    try {
      const inner = await this.check(id, depth + 1);
      if (!inner.valid) verdict.valid = false;
    } catch (error) {
      if (!(error instanceof PythonError)) throw error;
      verdict.valid = false;
      const message = 'Exception when validating inner node';
      const item = problem('exception_during_inner_validation', message, error.message, {
        input_name: spec.name,
        input_config: spec.raw,
        exception_message: error.message,
        exception_type: error.type,
        traceback: traceback(),
        linked_node: link,
      });
      this.verdicts.set(id, { valid: false, errors: [item] });
    }
  }

  private async checkCustom(entry: CatalogueEntry, inputs: JsonObject, verdict: Verdict): Promise<void> {
    if (!entry.node.refuse || verdict.errors.length > 0) return;
    const refusal = await entry.node.refuse(new Map(Object.entries(inputs)), this.folders);
    if (!refusal) return;
    const spec = entry.inputs.find((item) => item.name === refusal.input);
    const details = `${refusal.input} - ${refusal.reason}`;
    verdict.errors.push(
      problem('custom_validation_failed', 'The node class refuses this value', details, {
        input_name: refusal.input,
        input_config: spec?.raw ?? null,
        received_value: ownValue(inputs, refusal.input),
      }),
    );
  }

  /** Every node with errors of its own is named once for each output that it spoils. */
  private blame(output: string): void {
    const seen = new Set<string>([output]);
    for (const id of seen) {
      if ((this.verdicts.get(id)?.errors.length ?? 0) > 0) {
        this.dependents.set(id, [...(this.dependents.get(id) ?? []), output]);
      }
      for (const value of Object.values(inputsOf(nodeOf(this.prompt, id)))) {
        const link = readLink(value);
        if (link) seen.add(link.nodeId);
      }
    }
  }

  private nodeErrors(): JsonObject {
    const entries: Array<[string, JsonObject]> = [];
    for (const [id, outputs] of this.dependents) {
      const errors = this.verdicts.get(id)?.errors ?? [];
      const className = classOf(nodeOf(this.prompt, id));
      entries.push([id, { errors, dependent_outputs: outputs, class_type: className }]);
    }
    return Object.fromEntries(entries);
  }
}

function typesFit(received: string, wanted: string): boolean {
  if (received === '*' || wanted === '*' || received === wanted) return true;
  const allowed = new Set(wanted.split(','));
  return received.split(',').every((type) => allowed.has(type));
}

function linkProblem(type: string, message: string, spec: InputSpec, value: unknown): ErrorItem {
  return problem(type, message, spec.name, {
    input_name: spec.name,
    input_config: spec.raw,
    received_value: value,
  });
}

/** The pod is no Python: one line that says so, where the real thing lists its source. */
function traceback(): string[] {
  return ['  File "demo-pod/prompt-validation", in validate\n'];
}
