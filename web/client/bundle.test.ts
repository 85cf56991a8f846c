import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { build } from 'esbuild';

const MAX_GZIP_BYTES = 6 * 1024;

test('the client is at most 6 KB compressed and imports nothing at run time', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../index.ts', import.meta.url))],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
    outfile: 'client.js',
  });
  const [bundle] = outputFiles;
  expect(gzipSync(bundle!.contents, { level: 9 }).length).toBeLessThanOrEqual(MAX_GZIP_BYTES);
  expect(metafile.outputs['client.js']?.imports).toEqual([]);
  expect(Object.keys(metafile.inputs).filter((path) => !path.startsWith('web/'))).toEqual([]);
});
