/** What a node class is to the engine, and what the engine offers a running node. */
import type { Folders } from './output-files.ts';
import type { JsonObject } from './python-json.ts';
import { isNumeric, toDouble } from './python-json.ts';
import type { Pixels } from './values.ts';

export type Inputs = ReadonlyMap<string, unknown>;

export interface NodeContext {
  readonly nodeId: string;
  readonly folders: Folders;
  /** tEXt chunks for a PNG: `prompt`, and one for each key of `extra_data.extra_pnginfo`. */
  readonly pngTexts: ReadonlyMap<string, string>;
  /** The prefix of names in the temporary folder, new at each start of the pod. */
  readonly tempPrefix: string;
  readonly modelLoadDelayMs: number;
  readonly stepDelayMs: number;
  /** Waits in milliseconds; ends at once with RunAborted when the pod goes away. */
  sleep(milliseconds: number): Promise<void>;
  /** Waits, then reports a step. Throws Interrupted when asked to stop. `delayMs` defaults to the pod's own. */
  step(value: number, max: number, options?: StepOptions): Promise<void>;
  sendFinalImage(png: Buffer): void;
}

export interface StepOptions {
  readonly delayMs?: number;
  /** Draws the preview of this step; called only when somebody is to see it. */
  readonly preview?: () => Pixels;
}

export interface Subgraph {
  /** Nodes by their id within the subgraph; links name ids of the subgraph. */
  readonly nodes: JsonObject;
  /** For each output of the expanding node, the link that gives its value. */
  readonly results: ReadonlyArray<readonly [string, number]>;
}

export interface NodeResult {
  readonly outputs?: readonly unknown[];
  readonly ui?: JsonObject;
  readonly expand?: Subgraph;
}

export interface NodeClass {
  run(inputs: Inputs, context: NodeContext): NodeResult | Promise<NodeResult>;
  /** Runs beside other nodes instead of one after the other. */
  readonly concurrent?: boolean;
  /** Names of lazy inputs that turn out to be needed, from those that are there. */
  neededInputs?(inputs: Inputs): readonly string[];
  /** Something that changes when the node must run again though its inputs did not. */
  fingerprint?(inputs: Inputs, folders: Folders): Promise<string>;
  /** A reason to refuse the prompt, or null. */
  refuse?(inputs: Inputs, folders: Folders): Promise<{ input: string; reason: string } | null>;
}

export function numberInput(inputs: Inputs, name: string, fallback: number): number {
  const value = inputs.get(name);
  return isNumeric(value) ? toDouble(value) : fallback;
}

export function textInput(inputs: Inputs, name: string, fallback = ''): string {
  const value = inputs.get(name);
  return typeof value === 'string' ? value : fallback;
}

/** A value of the wanted kind, or undefined. */
export function kindInput<T extends { readonly kind: string }>(
  inputs: Inputs,
  name: string,
  kind: T['kind'],
): T | undefined {
  const value = inputs.get(name);
  const fits = typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
  return fits ? (value as T) : undefined;
}
