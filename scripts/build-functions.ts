/** Bundles every `functions/<name>/handler.ts` in one esbuild call: one process, one parse of what they share. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, type BuildOptions as EsbuildOptions } from 'esbuild';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');
/** Where the CDK app looks for `<name>/index.mjs`. */
export const functionsOutdir = join(projectRoot, 'dist', 'functions');

/**
 * Where the SDK looks for credentials when its environment has none. On Lambda it has them always, so these imports
 * are never reached: a fifth of each bundle, which every cold start would read.
 */
const NEVER_ASKED_FOR_CREDENTIALS = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
];

export interface BuildOptions {
  /** Folder of `<name>/handler.ts`; the project's own by default. */
  readonly sourceRoot?: string;
  /** Folder that gets `<name>/index.mjs`; the project's `dist/functions` by default. */
  readonly outdir?: string;
  /** Writes `index.mjs.map` beside each bundle and links it. */
  readonly sourcemap?: boolean;
}

export interface BuiltFunction {
  readonly name: string;
  /** Bytes of `index.mjs`. */
  readonly bytes: number;
}

/** Bundled CommonJS packages ask for Node's own modules with `require`, which an ES module lacks. */
const requireForCommonJs =
  "import{createRequire as createRequire$}from'node:module';const require=createRequire$(import.meta.url);";

/** Each entry point as one ES module that Node runs as it is. */
export const nodeBundle = {
  absWorkingDir: projectRoot,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm' as const,
  platform: 'node' as const,
  // The oldest Node that runs the bundles is the developer's, not the Lambda runtime's.
  target: 'node20',
  mainFields: ['module', 'main'],
  banner: { js: requireForCommonJs },
} satisfies EsbuildOptions;

/**
 * Builds all functions; the same sources give the same bytes. Bundles of functions that are gone are removed.
 * @throws when `sourceRoot` holds no function, or a source does not compile
 */
export const buildFunctions = async (options: BuildOptions = {}): Promise<readonly BuiltFunction[]> => {
  const sourceRoot = options.sourceRoot ?? join(projectRoot, 'functions');
  const outdir = options.outdir ?? functionsOutdir;
  const names = await functionNames(sourceRoot);
  if (names.length === 0) throw new Error(`no functions/<name>/handler.ts below ${sourceRoot}`);
  const { metafile } = await build({
    entryPoints: names.map((name) => ({
      in: join(sourceRoot, name, 'handler.ts'),
      out: join(name, 'index'),
    })),
    ...nodeBundle,
    outdir,
    external: NEVER_ASKED_FOR_CREDENTIALS,
    minify: true,
    sourcemap: options.sourcemap ? 'linked' : false,
    legalComments: 'none',
    metafile: true,
    logLevel: 'silent',
  });
  await removeOthers(outdir, names);
  return sizesOf(metafile.outputs);
};

const functionNames = async (sourceRoot: string): Promise<readonly string[]> => {
  const folders = await readdir(sourceRoot, { withFileTypes: true });
  return folders
    .filter((folder) => folder.isDirectory() && existsSync(join(sourceRoot, folder.name, 'handler.ts')))
    .map(({ name }) => name)
    .sort();
};

const removeOthers = async (outdir: string, names: readonly string[]): Promise<void> => {
  await mkdir(outdir, { recursive: true });
  const others = (await readdir(outdir)).filter((name) => !names.includes(name));
  await Promise.all(others.map((name) => rm(join(outdir, name), { recursive: true, force: true })));
};

const sizesOf = (outputs: Readonly<Record<string, { readonly bytes: number }>>): readonly BuiltFunction[] =>
  Object.entries(outputs)
    .filter(([path]) => path.endsWith('.mjs'))
    .map(([path, { bytes }]) => ({ name: dirname(path).split('/').at(-1) ?? path, bytes }));

const help = `Usage: npx tsx scripts/build-functions.ts [options]

Bundles functions/<name>/handler.ts into dist/functions/<name>/index.mjs.

  --sizes        print the size of every bundle
  --sourcemap    write source maps beside the bundles
  --source DIR   folder of the functions (default: functions)
  --out DIR      folder of the bundles (default: dist/functions)
  -h, --help     print this help`;

const main = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sizes: { type: 'boolean', default: false },
      sourcemap: { type: 'boolean', default: false },
      source: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(help);
  const built = await buildFunctions({
    sourcemap: values.sourcemap,
    ...(values.source !== undefined && { sourceRoot: resolve(values.source) }),
    ...(values.out !== undefined && { outdir: resolve(values.out) }),
  });
  if (values.sizes) for (const { name, bytes } of built) console.log(`${kilobytes(bytes)}  ${name}`);
};

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1).padStart(8)} KB`;

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(`build-functions: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  });
}
