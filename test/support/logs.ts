/** What the pipeline logged while a test ran. */
import { readFile } from 'node:fs/promises';
import { functionNames } from '../../lib/function-specs.ts';
import type { Pipeline } from './pipeline.ts';

export interface Logs {
  /** Lines of every function, each function's own in order. */
  readonly functions: readonly string[];
  /** Lines of every monitor. */
  readonly monitors: readonly string[];
}

export const readLogs = async ({ demo }: Pipeline): Promise<Logs> => {
  const files = await Promise.all(demo.monitors.map(({ logFile }) => readFile(logFile, 'utf8')));
  return {
    functions: functionNames.flatMap((name) => demo.aws.functionLogs(`local-comfyui-${name}`)),
    monitors: files.flatMap((text) => text.split('\n')),
  };
};

/** pino's number of the level. */
const WARN = 40;

/** The codes of the lines at level warn and above. */
export const troublesIn = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => {
    if (!line.startsWith('{')) return [];
    const { level, code } = JSON.parse(line) as Record<string, unknown>;
    return Number(level) >= WARN ? [String(code)] : [];
  });
