/**
 * Bundles the two programs of a demo worker, the simulated ComfyUI and the monitor, each into one file: a process of it
 * starts in a quarter of the processor time that it takes under tsx, and every start of a stack has two a worker.
 */
import { copyFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { REQUIRE_FOR_COMMON_JS } from './build-functions.ts';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const buildWorkers = async (outdir: string): Promise<void> => {
  await build({
    entryPoints: {
      pod: 'demo/comfyui/main.ts',
      monitor: 'monitor/main.ts',
      // The monitor looks for its thread beside itself.
      'picture-thread': 'monitor/adapters/picture-thread.mjs',
    },
    outdir,
    absWorkingDir: projectRoot,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE_FOR_COMMON_JS },
    logLevel: 'error',
  });
  // The pod reads its node catalogue from beside itself.
  await copyFile(join(projectRoot, 'demo/comfyui/object-info.json'), join(outdir, 'object-info.json'));
};

const [outdir] = process.argv.slice(2);
if (outdir === undefined) {
  console.error('Usage: npx tsx scripts/build-workers.ts FOLDER');
  process.exitCode = 2;
} else {
  await buildWorkers(resolve(outdir));
}
