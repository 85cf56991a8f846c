/** What the benchmarks of the running stack share. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import { buildAssembly } from '../demo/build.ts';
import { startDemo, type Demo, type DemoOptions } from '../demo/start-demo.ts';

/** Reads a whole number of a command line. */
export const atLeast =
  (least: number) =>
  (text: string): number => {
    if (/^\d{1,6}$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`a whole number from ${least}.`);
  };

/** The value that so many in a hundred do not exceed (nearest rank); NaN of nothing. */
export const percentile = (values: readonly number[], percent: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
};

/** A folder with the assembly of the stage `local`, gone in the end. */
export const withAssembly = async (
  use: (assembly: string, folder: string) => Promise<void>,
): Promise<void> => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bench-'));
  try {
    await buildAssembly(path.join(folder, 'cdk.out'));
    await use(path.join(folder, 'cdk.out'), folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** The stack with one pod, stopped in the end. */
export const withDemo = async <T>(
  options: Pick<DemoOptions, 'assembly' | 'stepDelayMs' | 'logDir'>,
  use: (demo: Demo) => Promise<T>,
): Promise<T> => {
  const demo = await startDemo({ port: 0, pods: 1, ...options });
  try {
    return await use(demo);
  } finally {
    await demo.stop();
  }
};
