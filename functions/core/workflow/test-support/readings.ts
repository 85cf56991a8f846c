/** For tests: workflows, catalogues and what a real ComfyUI answered, read or the test fails. */
import { parse } from 'lossless-json';
import { digestObjectInfo, type Catalogue } from '../catalogue.ts';
import { parseWorkflow, type Workflow } from '../workflow.ts';

export interface RecordedPrompt {
  readonly file: string;
  /** As it was posted; undefined where the body had none. */
  readonly prompt: unknown;
  readonly status: number;
  readonly error: string | undefined;
  /** Node id → the types of its errors. */
  readonly nodeErrors: Readonly<Record<string, readonly string[]>>;
}

interface Exchange {
  readonly http?: string;
  readonly body?: { readonly prompt?: unknown };
  readonly status?: { readonly value: string };
  readonly response?: {
    readonly error?: { readonly type: string };
    readonly node_errors?: Readonly<
      Record<string, { readonly errors: readonly { readonly type: string }[] }>
    >;
  };
}

const toPrompt = (file: string, { body, status, response }: Exchange): RecordedPrompt => ({
  file,
  prompt: body?.prompt,
  status: Number(status?.value),
  error: response?.error?.type,
  nodeErrors: Object.fromEntries(
    Object.entries(response?.node_errors ?? {}).map(([id, node]) => [
      id,
      node.errors.map(({ type }) => type),
    ]),
  ),
});

/** The POST /prompt exchanges of one recording. */
export const promptsIn = (file: string, recording: string): readonly RecordedPrompt[] =>
  recording
    .split('\n')
    .filter((line) => line.includes('"http": "POST /prompt"'))
    .map((line) => toPrompt(file, parse(line) as Exchange));

/** @throws Error when the text is no object_info */
export const catalogueOf = (objectInfo: string): Catalogue => {
  const reading = digestObjectInfo(objectInfo);
  if (reading.kind === 'invalid') throw new Error(reading.message);
  return reading.catalogue;
};

/** @throws Error when the value is no workflow */
export const workflowOf = (value: unknown): Workflow => {
  const reading = parseWorkflow(value);
  if (reading.kind === 'invalid') throw new Error(reading.message);
  return reading.workflow;
};

/** @throws Error when the text is no workflow */
export const workflowOfText = (text: string): Workflow => workflowOf(parse(text));
