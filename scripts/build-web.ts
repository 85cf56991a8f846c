/**
 * Bundles the browser side for other projects: `client.js` (no import at all) and `react.js` (React stays outside) as
 * ES modules, `react.css`, and their declarations below `types/`.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build, type BuildOptions } from 'esbuild';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');
/** Where the package's `exports` point to. */
export const webOutdir = join(projectRoot, 'dist', 'web-lib');

/** By the names under which they are exported. */
const entries = { client: 'web/index.ts', react: 'web/react/index.ts' } as const;

export interface BuiltFile {
  readonly name: string;
  readonly bytes: number;
  readonly gzipBytes: number;
}

const bundle = async (outdir: string, options: BuildOptions): Promise<readonly BuiltFile[]> => {
  const { outputFiles } = await build({
    absWorkingDir: projectRoot,
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    // What browsers and Node have had since 2022.
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
    ...options,
    write: false,
  });
  return Promise.all(
    (outputFiles ?? []).map(async ({ path, contents }) => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, contents);
      const name = path.slice(outdir.length + 1);
      return { name, bytes: contents.length, gzipBytes: gzipSync(contents, { level: 9 }).length };
    }),
  );
};

/** Declarations import each other by `.ts` here; outside, `.js` is what every module resolution understands. */
const withJsEndings = (text: string): string =>
  text.replaceAll(
    /(["'])(\.{1,2}\/[^"']+)\.tsx?\1/g,
    (_found, quote: string, path: string) => `${quote}${path}.js${quote}`,
  );

const declare = async (outdir: string): Promise<void> => {
  const types = join(outdir, 'types');
  const config = join(outdir, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: projectRoot,
    outDir: types,
    types: [],
  };
  const files = Object.values(entries).map((entry) => join(projectRoot, entry));
  const extended = join(projectRoot, 'web', 'tsconfig.json');
  await writeFile(config, JSON.stringify({ extends: extended, compilerOptions, files, include: [] }));
  try {
    const tsc = join(projectRoot, 'node_modules', 'typescript', 'lib', 'tsc.js');
    await promisify(execFile)(process.execPath, [tsc, '-p', config]);
  } catch (error) {
    const { stdout = '' } = error as { readonly stdout?: string };
    throw new Error(`the declarations could not be written: ${stdout.trim().split('\n')[0] ?? ''}`, {
      cause: error,
    });
  } finally {
    await rm(config, { force: true });
  }
  const names = (await readdir(types, { recursive: true })).filter((name) => name.endsWith('.d.ts'));
  await Promise.all(
    names.map(async (name) => {
      const path = join(types, name);
      await writeFile(path, withJsEndings(await readFile(path, 'utf8')));
    }),
  );
};

export interface BuildWebOptions {
  /** Emptied first; the project's `dist/web-lib` by default. */
  readonly outdir?: string;
  /** False leaves the declarations out, which take the longest. */
  readonly declarations?: boolean;
}

/**
 * Builds both entries; the same sources give the same bytes.
 * @throws when a source does not compile
 */
export const buildWeb = async (options: BuildWebOptions = {}): Promise<readonly BuiltFile[]> => {
  const outdir = resolve(options.outdir ?? webOutdir);
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  const scripts = await Promise.all([
    bundle(outdir, { entryPoints: { client: entries.client } }),
    bundle(outdir, {
      entryPoints: { react: entries.react },
      jsx: 'automatic',
      external: ['react', 'react-dom'],
      // Frameworks with server components must not render what holds state there.
      banner: { js: '"use client";' },
    }),
    bundle(outdir, { entryPoints: { react: 'web/react/generate-client.css' } }),
  ]);
  if (options.declarations !== false) await declare(outdir);
  return scripts.flat();
};

const help = `Usage: npx tsx scripts/build-web.ts [options]

Bundles the browser client and its React binding into dist/web-lib.

  --sizes     print the size of each file, plain and compressed
  --out DIR   folder of the files (default: dist/web-lib); it is emptied first
  -h, --help  print this help`;

const main = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sizes: { type: 'boolean', default: false },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(help);
  const built = await buildWeb(values.out === undefined ? {} : { outdir: values.out });
  if (!values.sizes) return;
  for (const { name, bytes, gzipBytes } of built)
    console.log(`${bytes} B, ${gzipBytes} B compressed: ${name}`);
};

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(`build-web: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  });
}
