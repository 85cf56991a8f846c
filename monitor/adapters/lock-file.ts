/** One monitor per state directory: two with one clientId would take the socket from each other for ever. */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errorCode, MonitorError } from '../monitor-error.ts';

/** Start time tells a process from a later one with the same pid (in a container it is always 1). */
const ownerSchema = z.object({ pid: z.number().int().positive(), startedAt: z.string().nullable() });
type Owner = z.infer<typeof ownerSchema>;

/** Field 22 of /proc/<pid>/stat; null where there is no /proc. */
const startTimeOf = async (pid: number): Promise<string | null> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
};

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
};

const holds = async (owner: Owner): Promise<boolean> =>
  isRunning(owner.pid) && (owner.startedAt === null || owner.startedAt === (await startTimeOf(owner.pid)));

const ownerOf = async (path: string): Promise<Owner | undefined> => {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
};

/** True when this call created the file; false when it stands already. */
const tryCreate = async (path: string, owner: Owner): Promise<boolean> => {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(JSON.stringify(owner));
    await file.close();
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
};

export interface LockFile {
  release(): Promise<void>;
}

/** Throws `stateDirLocked` while another process owns the directory, `stateDirUnusable` where it cannot be written. */
export const takeLock = async (stateDir: string): Promise<LockFile> => {
  const path = join(stateDir, 'owner.lock');
  const owner = { pid: process.pid, startedAt: await startTimeOf(process.pid) };
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    if (await tryCreate(path, owner)) return { release: () => rm(path, { force: true }) };
    const other = await ownerOf(path);
    if (other === undefined || !(await holds(other))) {
      await rm(path, { force: true });
      if (await tryCreate(path, owner)) return { release: () => rm(path, { force: true }) };
    }
  } catch (cause) {
    throw new MonitorError('stateDirUnusable', `${stateDir} cannot be written`, { retryable: false, cause });
  }
  throw new MonitorError('stateDirLocked', `another monitor owns ${stateDir}`, { retryable: false });
};
