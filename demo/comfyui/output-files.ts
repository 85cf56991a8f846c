/** The pod's three folders: where results, temporary results and uploads lie, and how files are named. */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { NodeFailure } from './errors.ts';
import type { JsonObject } from './python-json.ts';

export type FolderType = 'output' | 'temp' | 'input';

export interface Folders {
  readonly output: string;
  readonly temp: string;
  readonly input: string;
}

export interface FileSlot {
  readonly directory: string;
  readonly subfolder: string;
  readonly prefix: string;
  readonly next: number;
}

/**
 * Finds the next free name for a prefix such as `users/u1/ComfyUI`: the highest counter on disk plus one.
 * @throws NodeFailure when the prefix leads out of the folder.
 */
export async function reserveName(root: string, prefix: string, size?: Size): Promise<FileSlot> {
  const filled = path.posix.normalize(fillTokens(prefix, size).replaceAll('\\', '/'));
  const subfolder = path.posix.dirname(filled);
  const directory = path.resolve(root, subfolder);
  if (filled.includes('\0') || path.posix.isAbsolute(filled) || !isInside(root, directory)) {
    throw new NodeFailure('Exception', `the prefix leads out of the output folder: ${prefix}`);
  }
  await mkdir(directory, { recursive: true });
  const base = path.posix.basename(filled);
  return {
    directory,
    subfolder: subfolder === '.' ? '' : subfolder,
    prefix: base,
    next: await nextCounter(directory, base),
  };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function fillTokens(prefix: string, size: Size | undefined): string {
  if (!size) return prefix;
  return prefix.replaceAll('%width%', String(size.width)).replaceAll('%height%', String(size.height));
}

async function nextCounter(directory: string, base: string): Promise<number> {
  const start = `${base}_`.toLowerCase();
  let highest = 0;
  for (const name of await readdir(directory)) {
    if (!name.toLowerCase().startsWith(start)) continue;
    const counter = Number(/^\d+/.exec(name.slice(start.length))?.[0] ?? 0);
    highest = Math.max(highest, counter);
  }
  return highest + 1;
}

/** Writes one file and says how a node's `ui` speaks of it. `index` counts within one batch. */
export async function writeSlot(
  slot: FileSlot,
  index: number,
  extension: string,
  bytes: Uint8Array,
  type: FolderType,
): Promise<JsonObject> {
  const counter = String(slot.next + index).padStart(5, '0');
  const filename = `${slot.prefix}_${counter}_.${extension}`;
  await writeFile(path.join(slot.directory, filename), bytes);
  return { filename, subfolder: slot.subfolder, type };
}

export function isInside(root: string, target: string): boolean {
  const relative = path.relative(path.resolve(root), path.resolve(target));
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

export async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Makes the folders; the temporary one is emptied, as at every start of the real thing. */
export async function prepareFolders(folders: Folders): Promise<void> {
  await rm(folders.temp, { recursive: true, force: true });
  for (const folder of Object.values(folders) as string[]) await mkdir(folder, { recursive: true });
}
