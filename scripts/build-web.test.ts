import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { buildWeb, type BuiltFile } from './build-web.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
let folder = '';
let built: readonly BuiltFile[] = [];

/** Another project that has the package installed. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'build-web-'));
  const modules = join(folder, 'node_modules');
  const installed = join(modules, 'comfyui-event-pipeline');
  built = await buildWeb({ outdir: join(installed, 'dist', 'web-lib') });
  const lib = './dist/web-lib';
  const exports = {
    './client': { types: `${lib}/types/web/index.d.ts`, default: `${lib}/client.js` },
    './react': { types: `${lib}/types/web/react/index.d.ts`, default: `${lib}/react.js` },
    './react.css': `${lib}/react.css`,
  };
  writeFileSync(
    join(installed, 'package.json'),
    JSON.stringify({ name: 'comfyui-event-pipeline', type: 'module', exports }),
  );
  mkdirSync(join(modules, '@types'));
  for (const name of ['react', 'react-dom', 'zod', '@types/react', 'csstype']) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const imports = (name: string): string[] => {
  const text = readFileSync(join(folder, 'node_modules/comfyui-event-pipeline/dist/web-lib', name), 'utf8');
  return [
    ...new Set([...text.matchAll(/(?:from|import)\s*"([^"]+)"/g)].map(([, source]) => source ?? '')),
  ].sort();
};

test('the client imports nothing, the React binding React alone, and both are small', () => {
  expect(built.map(({ name }) => name)).toEqual(['client.js', 'react.js', 'react.css']);
  expect(imports('client.js')).toEqual([]);
  expect(imports('react.js')).toEqual(['react', 'react/jsx-runtime']);
  const sizes = Object.fromEntries(built.map(({ name, gzipBytes }) => [name, gzipBytes]));
  expect(sizes['client.js']).toBeLessThanOrEqual(6 * 1024);
  expect(sizes['react.js']).toBeLessThan(10 * 1024);
});

test('another project runs both in plain Node, without a bundler', async () => {
  writeFileSync(
    join(folder, 'run.js'),
    `import { createPipelineClient } from 'comfyui-event-pipeline/client';
     import { GenerateClient, useGeneration } from 'comfyui-event-pipeline/react';
     import { createElement } from 'react';
     import { renderToString } from 'react-dom/server';
     const client = createPipelineClient({ apiUrl: 'http://127.0.0.1:9', webSocketUrl: 'ws://127.0.0.1:9' });
     const App = () => {
       const generation = useGeneration({ client });
       return createElement(GenerateClient, { generation: { ...generation, status: 'submitting' } });
     };
     console.log(client.connection, renderToString(createElement(App)).includes('Submitting'));`,
  );
  const { stdout } = await run(process.execPath, [join(folder, 'run.js')], { cwd: folder });
  expect(stdout.trim()).toBe('idle true');
}, 60_000);

test.each(['bundler', 'nodenext'])(
  'another project compiles against the types, resolved as %s does',
  async (resolution) => {
    writeFileSync(
      join(folder, 'use.tsx'),
      `import { createPipelineClient, type JobState } from 'comfyui-event-pipeline/client';
     import { GenerateClient, retryWithSmallerSize, useGeneration } from 'comfyui-event-pipeline/react';
     const client = createPipelineClient({ apiUrl: '', webSocketUrl: '', previews: true });
     client.follow('id', (job: JobState) => job.nodes.map((node) => node.durationMs));
     export const App = () => {
       const generation = useGeneration({ client, onFailure: retryWithSmallerSize });
       const low: number | undefined = generation.eta?.lowSeconds;
       // @ts-expect-error a number is no name
       const wrong: number = generation.currentNode;
       return <GenerateClient generation={generation} key={String(low ?? wrong)} />;
     };`,
    );
    const module = resolution === 'nodenext' ? 'nodenext' : 'esnext';
    const compilerOptions = {
      strict: true,
      noEmit: true,
      jsx: 'react-jsx',
      target: 'es2022',
      lib: ['es2023', 'dom'],
      types: [],
      module,
      moduleResolution: resolution,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.tsx'] }));
    const tsc = resolve(root, 'node_modules/typescript/lib/tsc.js');
    await expect(run(process.execPath, [tsc, '-p', folder])).resolves.toMatchObject({ stdout: '' });
  },
  60_000,
);
