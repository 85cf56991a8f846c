/** From a workflow on disk, or the id of a stored one, and `--set`s to the body of POST /api/v1/tasks. */
import { randomUUID } from 'node:crypto';
import { basename, extname } from 'node:path';
import { submitTaskResponseSchema, type SubmitTaskResponse } from '../shared-types/index.ts';
import type { Api } from './api.ts';
import { CliError, EXIT } from './cli-error.ts';
import { readInputs, type Inputs } from './inputs.ts';
import { packBody, type PackedBody } from './packed-body.ts';
import { checkUpload, uploadBytes, uploadFile, type UploadDependencies } from './upload.ts';
import { isFile, readWorkflowFile } from './workflow-file.ts';

export interface SubmitOptions {
  /** `name=value`, as typed. */
  readonly set: readonly string[];
  readonly priority?: number;
  readonly maxRetries?: number;
  readonly timeoutSeconds?: number;
  readonly session?: string;
  readonly callbackUrl?: string;
  readonly tags: readonly string[];
  /** What the task is called in lists; by default the file's name. */
  readonly workflowId?: string;
}

/** What is to be sent, all of it checked; nothing is uploaded yet. */
export interface Draft {
  readonly what: string;
  readonly fields: object;
  /** JSON text of the workflow; undefined when the id names a stored one. */
  readonly workflow: string | undefined;
  readonly inputs: Inputs;
}

const workflowIdOf = (file: string): string =>
  basename(file, extname(file))
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 128) || 'workflow';

const fieldsOf = (workflowId: string, options: SubmitOptions) => ({
  workflow_id: workflowId,
  ...(options.priority === undefined ? {} : { priority: options.priority }),
  ...(options.maxRetries === undefined ? {} : { max_retries: options.maxRetries }),
  ...(options.timeoutSeconds === undefined ? {} : { timeout_seconds: options.timeoutSeconds }),
  ...(options.session === undefined ? {} : { session_id: options.session }),
  ...(options.callbackUrl === undefined ? {} : { callback_url: options.callbackUrl }),
  ...(options.tags.length === 0 ? {} : { tags: options.tags }),
});

/**
 * Reads and checks; a file that is there goes before a stored workflow of that name.
 * @throws CliError
 */
export const draftOf = async (what: string, options: SubmitOptions): Promise<Draft> => {
  const named = /[/\\]|\.json$/i.test(what);
  const file = named || (await isFile(what)) ? await readWorkflowFile(what) : undefined;
  if (file === undefined && options.workflowId !== undefined)
    throw new CliError(EXIT.usage, `--name is for files; ${what} would be the id of a stored workflow`);
  const inputs = readInputs(options.set, file?.workflow);
  for (const value of inputs.values()) if (value.kind === 'file') await checkUpload(value.path);
  const workflowId = file === undefined ? what : (options.workflowId ?? workflowIdOf(what));
  return { what, fields: fieldsOf(workflowId, options), workflow: file?.text, inputs };
};

/** Each file once, however many tasks take it. */
export const createUploader = (deps: UploadDependencies): ((path: string) => Promise<string>) => {
  const uploads = new Map<string, Promise<string>>();
  return (path) => {
    const upload = uploads.get(path) ?? uploadFile(path, deps);
    uploads.set(path, upload);
    return upload;
  };
};

const inputsText = async (
  inputs: Inputs,
  upload: (path: string) => Promise<string>,
): Promise<string | undefined> => {
  if (inputs.size === 0) return undefined;
  const members: string[] = [];
  for (const [name, value] of inputs) {
    const text = value.kind === 'json' ? value.text : JSON.stringify({ file_id: await upload(value.path) });
    members.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${members.join(',')}}`;
};

/** Fields as JSON, the workflow and the inputs put in as text: a seed of 20 digits keeps its digits. */
const bodyOf = (fields: object, parts: Readonly<Record<string, string | undefined>>): string => {
  const texts = Object.entries(parts).flatMap(([key, text]) =>
    text === undefined ? [] : [`,${JSON.stringify(key)}:${text}`],
  );
  return `${JSON.stringify(fields).slice(0, -1)}${texts.join('')}}`;
};

/** Uploads what has to be, and answers the body of as many tasks as are wanted. @throws CliError */
export const packDraft = async (
  draft: Draft,
  upload: (path: string) => Promise<string>,
  deps: UploadDependencies,
): Promise<PackedBody> => {
  const inputs = await inputsText(draft.inputs, upload);
  const direct = await packBody(bodyOf(draft.fields, { payload: draft.workflow, inputs }));
  if (direct !== undefined) return direct;
  const tooLarge = new CliError(EXIT.usage, `${draft.what}: the values of --set are too large`);
  if (draft.workflow === undefined) throw tooLarge;
  // Without a type of its own: the upload is signed for the headers that the API names, and no others.
  const fileId = await uploadBytes('workflow.json', new Blob([draft.workflow]), deps);
  const named = await packBody(bodyOf({ ...draft.fields, payload_file_id: fileId }, { inputs }));
  if (named === undefined) throw tooLarge;
  return named;
};

/** Submits one task. A repetition after a lost answer makes no second one. @throws CliError */
export const submit = ({ body, headers }: PackedBody, api: Api): Promise<SubmitTaskResponse> =>
  api.json(submitTaskResponseSchema, {
    method: 'POST',
    path: '/tasks',
    body,
    headers: { ...headers, 'idempotency-key': randomUUID() },
  });
