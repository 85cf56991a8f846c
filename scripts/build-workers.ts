/**
 * Bundles the two programs of a demo worker, the simulated ComfyUI and the monitor, each into one file: a process of it
 * starts in a quarter of the processor time that it takes under tsx, and every start of a stack has two a worker.
 */
import { copyFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { nodeBundle } from './build-functions.ts';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const buildWorkers = async (outdir: string): Promise<void> => {
  await build({
    entryPoints: {
      pod: 'demo/comfyui/main.ts',
      monitor: 'monitor/main.ts',
      // The monitor looks for its thread beside itself.
      'picture-thread': 'monitor/adapters/picture-thread.mjs',
    },
    ...nodeBundle,
    outdir,
    logLevel: 'error',
  });
  // The pod reads its node catalogue from beside itself.
  await copyFile(join(projectRoot, 'demo/comfyui/object-info.json'), join(outdir, 'object-info.json'));
};

const help = `Usage: npx tsx scripts/build-workers.ts FOLDER

Bundles the simulated ComfyUI and the monitor into FOLDER/pod.mjs and FOLDER/monitor.mjs.`;

const {
  values,
  positionals: [outdir],
} = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h', default: false } },
});
if (values.help) console.log(help);
else if (outdir === undefined) {
  console.error(help);
  process.exitCode = 2;
} else {
  await buildWorkers(resolve(outdir));
}
