/** An API-format workflow on disk, as the text that it is: its numbers keep every digit. */
import { readFile, stat } from 'node:fs/promises';
import { parse } from 'lossless-json';
import { MAX_WORKFLOW_BYTES } from '../shared-types/index.ts';
import { CliError, EXIT } from './cli-error.ts';
import { errorCode } from './error-code.ts';
import { isObject } from './target.ts';

export interface WorkflowFile {
  /** One JSON object, without a byte order mark. */
  readonly text: string;
  /** As lossless-json reads it. */
  readonly workflow: unknown;
}

export const isFile = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

const wrong = (path: string, what: string): CliError => new CliError(EXIT.usage, `${path}: ${what}`);

const decode = (path: string, bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw wrong(path, 'this is not UTF-8; save it as UTF-8');
  }
};

const parseWorkflow = (path: string, text: string): unknown => {
  try {
    return parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 120) : 'no JSON';
    throw wrong(path, `this is not valid JSON (${reason})`);
  }
};

/** @throws CliError naming the file and what to do */
export const readWorkflowFile = async (path: string): Promise<WorkflowFile> => {
  const bytes = await readFile(path).catch((cause: unknown) => {
    const code = errorCode(cause);
    throw wrong(path, code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`);
  });
  if (bytes.length > MAX_WORKFLOW_BYTES)
    throw wrong(path, `a workflow has at most ${MAX_WORKFLOW_BYTES / 1024 / 1024} MB`);
  const text = decode(path, bytes).trim();
  const workflow = parseWorkflow(path, text);
  if (!isObject(workflow)) throw wrong(path, 'a workflow is a JSON object: node id → node');
  if (Array.isArray(workflow['nodes']) && Array.isArray(workflow['links']))
    throw wrong(path, "this is the editor's format; export it from ComfyUI in API format");
  return { text, workflow };
};
