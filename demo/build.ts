/** From source to what runs: bundles and template for the embedded AWS, programs of the workers, page. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DemoError } from './demo-error.ts';

/** The project's root. */
export const projectRoot = fileURLToPath(new URL('..', import.meta.url));
export const pageDir = path.join(projectRoot, 'dist', 'web');

/** Runs a tool of the project to its end; its output is shown only when it fails. */
const run = async (
  what: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> => {
  const child = spawn(process.execPath, [...args], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-8000);
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new DemoError('build', `${what} failed:\n${output.trim()}`);
};

/** Bundles the functions and synthesizes the stage `local` into `outDir`. */
export const buildAssembly = (outDir: string): Promise<void> =>
  run('synthesizing the template', ['--import', 'tsx', 'bin/app.ts'], { CDK_OUTDIR: outDir, STAGE: 'local' });

/** Bundles the programs of the workers into `outDir`; `builtPrograms` of workers.ts says where they are then. */
export const buildWorkers = (outDir: string): Promise<void> =>
  run('bundling the workers', ['--import', 'tsx', 'scripts/build-workers.ts', outDir], {});

export const buildPage = (): Promise<void> =>
  run('building the page', ['node_modules/vite/bin/vite.js', 'build', '--config', 'web/vite.config.ts'], {
    NODE_ENV: 'production',
  });
