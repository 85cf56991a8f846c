/** What stands in the form: a workflow and what was typed. Survives a refresh. */
import { fieldsOf, parseJson, textOf } from '../../client/guards.ts';
import { readParameters } from '../api/read-answers.ts';
import { exampleWorkflows } from '../workflow/example-workflows.ts';
import type { NamedParameters } from '../workflow/find-parameters.ts';
import type { ChosenFiles, TypedValues } from '../workflow/form-values.ts';
import { readWorkflowText } from '../workflow/read-workflow.ts';

export interface Draft {
  /** `workflow_id` of the submission. */
  readonly workflowId: string;
  /** API format. */
  readonly text: string;
  /** Named by whoever stored the workflow. */
  readonly named: NamedParameters;
  /** Where it comes from, for people; empty for examples. */
  readonly origin: string;
  readonly typed: TypedValues;
  readonly files: ChosenFiles;
}

const KEY = 'draft';
const MAX_KEPT = 500_000;

export const draftOf = (
  workflowId: string,
  text: string,
  { named = {}, origin = '' }: Partial<Pick<Draft, 'named' | 'origin'>> = {},
): Draft => ({ workflowId, text, named, origin, typed: {}, files: {} });

export const firstDraft = (): Draft => draftOf(exampleWorkflows[0].id, exampleWorkflows[0].text);

/** A file's name as a workflow id: at most 256 characters, never empty. */
export const workflowIdOf = (filename: string): string =>
  filename
    .replace(/\.(json|png)$/i, '')
    .trim()
    .slice(0, 200) || 'dropped-workflow';

/** As the task API wants the id of a stored workflow. */
export const storedIdOf = (workflowId: string): string =>
  workflowId
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^\.+/, '')
    .slice(0, 128) || 'workflow';

const texts = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(fieldsOf(value) ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );

/** Uploaded files are not kept: their ids are good for a while only. */
export const keepDraft = (draft: Draft): void => {
  try {
    const { workflowId, text, named, origin, typed } = draft;
    const kept = JSON.stringify({ workflowId, text, named, origin, typed });
    if (kept.length <= MAX_KEPT) sessionStorage.setItem(KEY, kept);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Forbidden or full: a refresh then begins with the first example.
  }
};

export const restoredDraft = (): Draft | undefined => {
  try {
    const fields = fieldsOf(parseJson(sessionStorage.getItem(KEY) ?? ''));
    // Not `textOf`, which cuts: a workflow is kept whole.
    const text = fields?.['text'];
    const workflowId = textOf(fields?.['workflowId']);
    if (fields === undefined || typeof text !== 'string' || workflowId === undefined) return undefined;
    if (readWorkflowText(text).kind !== 'workflow') return undefined;
    const named = readParameters(fields['named']);
    return {
      workflowId,
      text,
      named,
      origin: textOf(fields['origin']) ?? '',
      typed: texts(fields['typed']),
      files: {},
    };
  } catch {
    return undefined;
  }
};
