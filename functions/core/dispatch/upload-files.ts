/** Brings the files of a job to its worker, and writes their names into the workflow. */
import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { PipelineError } from '../errors.ts';
import type { Job } from '../job.ts';
import type { JobFile } from '../ports.ts';
import type { Worker } from '../worker.ts';
import { quoted } from '../workflow/one-line.ts';
import { fillFiles, type FileName } from '../workflow/parameters.ts';
import type { DispatchDependencies } from './ports.ts';
import { FILES_GRACE_MS } from './start-grace.ts';

export type FilledWorkflow =
  | { readonly kind: 'ready'; readonly workflowText: string }
  /** A file is gone, or is refused by whoever has it or by ComfyUI: it will never do. */
  | { readonly kind: 'rejected'; readonly message: string; readonly nodeId?: string }
  /** Where the file comes from does not answer: another time it may. */
  | { readonly kind: 'sourceUnavailable'; readonly message: string }
  | { readonly kind: 'unreachable'; readonly message: string };

type Refusal = Exclude<FilledWorkflow, { kind: 'ready' }>;

type Opened =
  | { readonly kind: 'found'; readonly body: Readable; readonly size: number }
  | Extract<Refusal, { kind: 'rejected' | 'sourceUnavailable' }>;

const placeOf = ({ nodeId, input }: JobFile): string => `input ${quoted(input)} of node ${quoted(nodeId)}`;

const rejected = (file: JobFile, message: string): Refusal & { kind: 'rejected' } => ({
  kind: 'rejected',
  message: `${placeOf(file)}: ${message}`,
  nodeId: file.nodeId,
});

const unavailable = (file: JobFile, message: string): Refusal & { kind: 'sourceUnavailable' } => ({
  kind: 'sourceUnavailable',
  message: `${placeOf(file)}: ${message}`,
});

const openUpload = async (file: JobFile, key: string, deps: DispatchDependencies): Promise<Opened> => {
  try {
    const found = await deps.uploads.open(key);
    if (found !== undefined) return { kind: 'found', ...found };
    return rejected(file, 'the uploaded file is gone; upload it again');
  } catch (error) {
    deps.logger.warn('dispatch.upload-unread', { nodeId: file.nodeId, reason: String(error) });
    return unavailable(file, 'the uploaded file could not be read');
  }
};

const open = async (file: JobFile, deps: DispatchDependencies): Promise<Opened> => {
  const { source } = file;
  if (source.kind === 'file') return openUpload(file, source.key, deps);
  const answer = await deps.remoteFiles.open(source.url);
  if (answer.kind === 'found') return answer;
  return answer.kind === 'refused' ? rejected(file, answer.message) : unavailable(file, answer.message);
};

/** Letters, digits, dot, dash and underscore of the last part; nodes tell the type of a file by its extension. */
const safeName = (name: string): string => {
  const safe = name.replaceAll(/[^\w.-]+/g, '_').replace(/^[._-]+/, '');
  const extension = extname(safe).slice(0, 16);
  return `${safe.slice(0, safe.length - extension.length).slice(0, 80) || 'file'}${extension}`.replaceAll(
    /\.{2,}/g,
    '.',
  );
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export const filenameOf = ({ source }: JobFile): string =>
  safeName(
    source.kind === 'file' ? source.filename : decoded(new URL(source.url).pathname.split('/').at(-1) ?? ''),
  );

/** Whether it was the source that broke off, and for good or for now; undefined when it did not. */
const sourceRefusal = (file: JobFile, error: unknown): Refusal | undefined => {
  if (error === undefined) return undefined;
  const isFinal = error instanceof PipelineError && !error.retryable;
  const message = error instanceof PipelineError ? error.message : 'the file broke off while it was read';
  return isFinal ? rejected(file, message) : unavailable(file, message);
};

const send = async (
  file: JobFile,
  job: Job,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<{ readonly kind: 'uploaded'; readonly name: string } | Refusal> => {
  const opened = await open(file, deps);
  if (opened.kind !== 'found') return opened;
  const { body, size } = opened;
  let broken: unknown;
  body.once('error', (error: unknown) => {
    broken = error ?? new Error('the file broke off');
  });
  const request = { body, size, filename: filenameOf(file), subfolder: job.jobId };
  const answer = await deps.comfyUi.uploadFile(worker.endpoint, request).finally(() => body.destroy());
  if (answer.kind === 'uploaded') return answer;
  const refusal = sourceRefusal(file, broken);
  if (refusal !== undefined) return refusal;
  return answer.kind === 'rejected' ? rejected(file, `ComfyUI: ${answer.message}`) : answer;
};

const fill = (workflowText: string, names: readonly FileName[]): FilledWorkflow => {
  try {
    return { kind: 'ready', workflowText: fillFiles(workflowText, names) };
  } catch (error) {
    if (!(error instanceof PipelineError) || error.retryable) throw error;
    return { kind: 'rejected', message: error.message };
  }
};

/**
 * Files go into a folder of the job, so that no other job's file has their name. A file that several inputs name is
 * sent once.
 */
export const uploadFiles = async (
  files: readonly JobFile[],
  workflowText: string,
  job: Job,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<FilledWorkflow> => {
  const deadline = deps.clock.now() + FILES_GRACE_MS;
  const sent = new Map<string, string>();
  const names: FileName[] = [];
  for (const file of files) {
    const source = JSON.stringify(file.source);
    let name = sent.get(source);
    if (name === undefined) {
      if (deps.clock.now() >= deadline) return unavailable(file, 'the files before it took too long');
      const answer = await send(file, job, worker, deps);
      if (answer.kind !== 'uploaded') return answer;
      ({ name } = answer);
      sent.set(source, name);
    }
    names.push({ nodeId: file.nodeId, input: file.input, name });
  }
  return fill(workflowText, names);
};
