/** From a workflow on disk, or the id of a stored one, and `--set`s to the body of POST /api/v1/tasks. */
import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { parse } from 'lossless-json';
import { submitTaskResponseSchema, type SubmitTaskResponse } from '../shared-types/index.ts';
import type { Api } from './api.ts';
import { CliError, EXIT } from './cli-error.ts';
import { targetOf } from './target.ts';
import { uploadBytes, uploadFile } from './upload.ts';

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

/** Bodies above this travel compressed; what is still too large is uploaded first. */
const COMPRESS_ABOVE = 1024 * 1024;
const MAX_DIRECT_BYTES = 4 * 1024 * 1024;

const compress = promisify(gzip);

const workflowIdOf = (file: string): string =>
  basename(file, extname(file))
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 128) || 'workflow';

const isFile = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
};

interface Source {
  readonly workflowId: string;
  /** JSON text; undefined when the id names a stored workflow. */
  readonly text: string | undefined;
}

const readSource = async (what: string, options: SubmitOptions): Promise<Source> => {
  if (await isFile(what)) {
    return { workflowId: options.workflowId ?? workflowIdOf(what), text: await readFile(what, 'utf8') };
  }
  if (/[/\\]|\.json$/i.test(what)) throw new CliError(EXIT.usage, `${what}: there is no such file`);
  return { workflowId: what, text: undefined };
};

const parseWorkflow = (what: string, text: string): unknown => {
  try {
    return parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 120) : 'not JSON';
    throw new CliError(EXIT.usage, `${what} is not valid JSON (${reason})`);
  }
};

/** Numbers, true and false go as what they are, with every digit; the rest is text. `"42"` in quotes is text. */
const valueText = (value: string): string => {
  if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(value) || value === 'true' || value === 'false')
    return value;
  const quoted = /^"(.*)"$/s.exec(value)?.[1];
  return JSON.stringify(quoted ?? value);
};

const splitSet = (set: string): readonly [string, string] => {
  const at = set.indexOf('=');
  if (at > 0) return [set.slice(0, at).trim(), set.slice(at + 1)];
  throw new CliError(EXIT.usage, `--set ${set}: write name=value, for example --set prompt="a red fox"`);
};

/** `name=@file` uploads the file. */
const inputText = async (value: string, api: Api): Promise<string> =>
  value.startsWith('@')
    ? JSON.stringify({ file_id: await uploadFile(value.slice(1), api) })
    : valueText(value);

const inputsText = async (
  source: Source,
  what: string,
  { set }: SubmitOptions,
  api: Api,
): Promise<string | undefined> => {
  if (set.length === 0) return undefined;
  const workflow = source.text === undefined ? undefined : parseWorkflow(what, source.text);
  const inputs = new Map<string, string>();
  for (const one of set) {
    const [name, value] = splitSet(one);
    inputs.set(workflow === undefined ? name : targetOf(name, workflow), await inputText(value, api));
  }
  return `{${[...inputs].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
};

const fieldsOf = (workflowId: string, options: SubmitOptions) => ({
  workflow_id: workflowId,
  ...(options.priority === undefined ? {} : { priority: options.priority }),
  ...(options.maxRetries === undefined ? {} : { max_retries: options.maxRetries }),
  ...(options.timeoutSeconds === undefined ? {} : { timeout_seconds: options.timeoutSeconds }),
  ...(options.session === undefined ? {} : { session_id: options.session }),
  ...(options.callbackUrl === undefined ? {} : { callback_url: options.callbackUrl }),
  ...(options.tags.length === 0 ? {} : { tags: options.tags }),
});

/** Fields as JSON, the workflow and the inputs put in as text: a seed of 20 digits keeps its digits. */
const bodyOf = (fields: object, parts: Readonly<Record<string, string | undefined>>): string => {
  const texts = Object.entries(parts).flatMap(([key, text]) =>
    text === undefined ? [] : [`,${JSON.stringify(key)}:${text}`],
  );
  return `${JSON.stringify(fields).slice(0, -1)}${texts.join('')}}`;
};

/** Submits one task. A repetition after a lost answer makes no second one. @throws CliError */
export const submit = async (what: string, options: SubmitOptions, api: Api): Promise<SubmitTaskResponse> => {
  const source = await readSource(what, options);
  const inputs = await inputsText(source, what, options, api);
  const fields = fieldsOf(source.workflowId, options);
  const headers = { 'idempotency-key': randomUUID() };
  const call = { method: 'POST', path: '/tasks' } as const;
  const body = bodyOf(fields, { payload: source.text, inputs });
  if (Buffer.byteLength(body) <= COMPRESS_ABOVE)
    return api.json(submitTaskResponseSchema, { ...call, body, headers });
  const packed = await compress(body);
  if (packed.length <= MAX_DIRECT_BYTES) {
    const encoded = { ...headers, 'content-encoding': 'gzip' };
    return api.json(submitTaskResponseSchema, { ...call, body: packed, headers: encoded });
  }
  const workflow = new Blob([source.text ?? '{}'], { type: 'application/json' });
  const fileId = await uploadBytes('workflow.json', workflow, api);
  const named = bodyOf({ ...fields, payload_file_id: fileId }, { inputs });
  return api.json(submitTaskResponseSchema, { ...call, body: named, headers });
};
