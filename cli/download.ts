/** Brings the outputs of a task onto this disk. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { Task } from '../shared-types/index.ts';
import { CliError, EXIT } from './cli-error.ts';

type TaskOutput = NonNullable<Task['result']>['outputs'][number];

/** ComfyUI's name, of which nothing may lead out of the folder. */
const safeName = (filename: string): string => {
  const name = basename(filename.replaceAll('\\', '/'))
    .replaceAll(/[\p{Cc}\p{Cf}<>:"|?*]/gu, '_')
    .slice(-120);
  return /^\.*$/.test(name) ? 'output' : name;
};

const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Nothing is written over: a name that is taken gets the task's id, then a number. */
const freePath = async (folder: string, filename: string, taskId: string): Promise<string> => {
  const name = safeName(filename);
  const ending = extname(name);
  const stem = name.slice(0, name.length - ending.length);
  const candidates = [name, `${stem}-${taskId.slice(0, 8)}${ending}`];
  for (let n = 0; ; n += 1) {
    const candidate = join(folder, candidates[n] ?? `${stem}-${taskId.slice(0, 8)}-${n}${ending}`);
    if (!(await exists(candidate))) return candidate;
  }
};

const fetchInto = async (output: TaskOutput, path: string): Promise<void> => {
  const response = await fetch(output.src);
  if (!response.ok || response.body === null)
    throw new CliError(EXIT.failed, `${output.src} was answered ${response.status}`);
  const partial = `${path}.part`;
  try {
    await pipeline(Readable.fromWeb(response.body as ReadableStream<Uint8Array>), createWriteStream(partial));
    const { size } = await stat(partial);
    if (size !== output.size)
      throw new CliError(EXIT.failed, `${output.src}: ${size} bytes came of ${output.size}`);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
};

/** Downloads every output of a task and answers the paths. @throws CliError */
export const downloadOutputs = async (
  task: Pick<Task, 'id' | 'result'>,
  folder: string,
): Promise<string[]> => {
  const outputs = task.result?.outputs ?? [];
  if (outputs.length > 0) await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const output of outputs) {
    const path = await freePath(folder, output.filename, task.id);
    await fetchInto(output, path).catch((error: unknown) => {
      if (error instanceof CliError) throw error;
      throw new CliError(EXIT.failed, `${output.src} cannot be downloaded to ${path}`);
    });
    paths.push(path);
  }
  return paths;
};
