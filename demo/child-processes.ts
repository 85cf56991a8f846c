/** Programs of this project as child processes: started, watched, and always ended. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';

export interface ChildOptions {
  /** Short name, also of its log file. */
  readonly name: string;
  /** From the project's root. TypeScript runs under tsx, JavaScript as it is. */
  readonly entry: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Folder of the log files. */
  readonly logDir: string;
  /** Called for each line that it writes to stdout. */
  readonly onLine?: (line: string) => void;
}

export interface Child {
  readonly name: string;
  readonly logFile: string;
  /** Resolves with the exit code, or null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** SIGTERM, then SIGKILL after `graceMs`. Resolves when it has ended. */
  stop(graceMs?: number): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

const forEachLine = (child: ChildProcess, onLine: (line: string) => void): void => {
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
};

/**
 * Starts an entry. The child gets an IPC channel: the programs of this project end when it closes, so
 * nothing outlives a parent that was killed.
 */
export const startChild = ({ name, entry, args = [], env = {}, logDir, onLine }: ChildOptions): Child => {
  mkdirSync(logDir, { recursive: true });
  const logFile = path.join(logDir, `${name}.log`);
  const log = createWriteStream(logFile);
  const child = spawn(
    process.execPath,
    [...(entry.endsWith('.ts') ? ['--import', 'tsx'] : []), entry, ...args],
    {
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, NODE_OPTIONS: '', ...env },
    },
  );
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  if (onLine !== undefined) forEachLine(child, onLine);
  const ended = once(child, 'exit').then(([code]) => {
    log.end();
    return code as number | null;
  });
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const kill = async (): Promise<void> => {
    if (running()) child.kill('SIGKILL');
    await ended;
  };
  const stop = async (graceMs = 8000): Promise<void> => {
    if (running()) child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await ended;
    clearTimeout(timer);
  };
  return { name, logFile, ended, stop, kill };
};
