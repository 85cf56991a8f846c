import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedAwsError } from './contract.ts';

/**
 * Claims a data directory for this process; call the answer to give it back. Throws `DataDirectoryInUse` while another
 * living process (or another embedded AWS in this one) holds it: two writers would destroy the stores.
 */
export function lockDataDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'in-use-by.pid');
  if (!claim(file)) {
    const owner = Number(readFileSync(file, 'utf8'));
    if (isAlive(owner)) throw inUse(directory, owner);
    // Its owner ended without cleaning up.
    rmSync(file, { force: true });
    if (!claim(file)) throw inUse(directory, owner);
  }
  return () => rmSync(file, { force: true });
}

function claim(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function inUse(directory: string, owner: number): EmbeddedAwsError {
  const problem = `${directory} is in use by process ${owner}; stop it or choose another data directory`;
  return new EmbeddedAwsError('DataDirectoryInUse', problem);
}
