/** What was typed into the form → the workflow that is submitted. */
import { parseJson } from '../../client/guards.ts';
import { readSeed, withRawValue, type ValuePath } from './edit-workflow.ts';
import type { FieldKind, Parameter, WorkflowForm } from './find-parameters.ts';

/** Typed text by place; what was not touched has no entry. */
export type TypedValues = Readonly<Record<string, string>>;

/** A file that was uploaded for an input. */
export interface ChosenFile {
  readonly fileId: string;
  readonly name: string;
}
export type ChosenFiles = Readonly<Record<string, ChosenFile>>;

/** As the task API addresses an input. */
export const addressOf = ([nodeId, , input]: ValuePath): string => `${nodeId}.inputs.${input}`;

const isFile = (kind: FieldKind): boolean => kind === 'image' || kind === 'audio' || kind === 'video';
const isText = (kind: FieldKind): boolean => kind === 'text' || kind === 'longText' || isFile(kind);

/** The value as a person edits it: strings without quotes, numbers digit for digit. */
const shownRaw = ({ kind, raw }: Parameter): string => {
  const value = isText(kind) ? parseJson(raw) : undefined;
  return typeof value === 'string' ? value : raw;
};

export const shownValue = (parameter: Parameter, typed: TypedValues): string =>
  typed[addressOf(parameter.paths[0])] ?? shownRaw(parameter);

export const withTyped = (typed: TypedValues, parameter: Parameter, value: string): TypedValues => ({
  ...typed,
  ...Object.fromEntries(parameter.paths.map((path) => [addressOf(path), value])),
});

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The typed text as JSON text, or undefined when it is none of its kind. */
export const readTyped = (kind: FieldKind, typed: string): string | undefined => {
  const text = typed.trim();
  switch (kind) {
    case 'seed':
      return readSeed(typed);
    case 'whole':
      return /^(?:0|[1-9]\d{0,15})$/.test(text) ? text : undefined;
    case 'number':
      return NUMBER.test(text) && text.length <= 40 ? text : undefined;
    case 'boolean':
      return text === 'true' || text === 'false' ? text : undefined;
    case 'json':
      return parseJson(text) === undefined ? undefined : text;
    case 'text':
    case 'longText':
    case 'image':
    case 'audio':
    case 'video':
      return JSON.stringify(typed);
  }
};

/** What a field wants, in one line, once something else stands in it. */
export const wantedOf = (kind: FieldKind): string => {
  if (kind === 'seed') return 'A whole number from 0 to 18446744073709551615';
  if (kind === 'whole') return 'A whole number';
  if (kind === 'number') return 'A number';
  return kind === 'json' ? 'A value in JSON' : 'true or false';
};

export const isValid = (parameter: Parameter, typed: TypedValues): boolean => {
  const value = typed[addressOf(parameter.paths[0])];
  return value === undefined || readTyped(parameter.kind, value) !== undefined;
};

const everyParameter = ({ main, nodes }: WorkflowForm): readonly Parameter[] => [
  ...main,
  ...nodes.flatMap(({ inputs }) => inputs),
];

export const allValid = (form: WorkflowForm, typed: TypedValues): boolean =>
  everyParameter(form).every((parameter) => isValid(parameter, typed));

/** The workflow with what was typed. What is not valid is left as it was: ask `allValid` first. */
export const filledWorkflow = (text: string, form: WorkflowForm, typed: TypedValues): string => {
  let filled = text;
  for (const { kind, paths } of everyParameter(form)) {
    for (const path of paths) {
      const value = typed[addressOf(path)];
      const raw = value === undefined ? undefined : readTyped(kind, value);
      if (raw !== undefined) filled = withRawValue(filled, path, raw);
    }
  }
  return filled;
};

/** `inputs` of the submission: which uploaded file goes where. */
export const fileInputs = (files: ChosenFiles): Record<string, { readonly file_id: string }> =>
  Object.fromEntries(Object.entries(files).map(([address, { fileId }]) => [address, { file_id: fileId }]));
