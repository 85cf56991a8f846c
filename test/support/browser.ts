/** A headless Chromium that needs nothing installed: it comes by npm, and so do the libraries and fonts it asks for. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import {
  chromium,
  type Browser,
  type BrowserContextOptions,
  type LaunchOptions,
  type Page,
} from 'playwright-core';
import { projectRoot } from '../../demo/build.ts';

const require = createRequire(import.meta.url);
const packageFile = path.resolve(require.resolve('@sparticuz/chromium'), '../../../package.json');

/**
 * Not the package's own list, which turns the same-origin policy off (a missing CORS header would pass) and puts
 * the page into the browser's process (where one crash ends both).
 */
const ARGS = [
  '--no-sandbox',
  '--no-zygote',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
  '--font-render-hinting=none',
];

/** Unpacks in a process of its own: the package chooses its folder and its libraries by the environment at import. */
const unpackScript = `
  const { default: chromium } = await import('@sparticuz/chromium');
  await chromium.executablePath();`;

const fontsConfig = (folder: string): string => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${folder}/fonts</dir>
  <cachedir>${folder}/fonts-cache</cachedir>
</fontconfig>
`;

const unpack = async (folder: string): Promise<void> => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', unpackScript], {
    cwd: projectRoot,
    stdio: ['ignore', 'inherit', 'inherit'],
    // Named as a Lambda runtime, it also unpacks the shared libraries (NSS, expat) that a bare machine lacks.
    env: { ...process.env, NODE_OPTIONS: '', TMPDIR: folder, AWS_LAMBDA_JS_RUNTIME: 'nodejs22.x' },
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`Chromium could not be unpacked: exit code ${code}`);
};

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** Unpacked once per version (1–2 s, 220 MB); it appears whole or not at all, whoever unpacks beside us. */
const unpacked = async (): Promise<string> => {
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string };
  const cache = path.join(projectRoot, 'node_modules/.cache');
  const folder = path.join(cache, `chromium-${version}`);
  if (await exists(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const own = await mkdtemp(path.join(cache, 'unpacking-'));
  try {
    await unpack(own);
    await writeFile(path.join(own, 'fonts.conf'), fontsConfig(folder));
    await rename(own, folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error;
    });
  } finally {
    await rm(own, { recursive: true, force: true });
  }
  return folder;
};

const packagedBrowser = async (): Promise<LaunchOptions> => {
  const folder = await unpacked();
  const libraries = [path.join(folder, 'al2023/lib'), process.env['LD_LIBRARY_PATH'] ?? ''];
  return {
    executablePath: path.join(folder, 'chromium'),
    env: {
      ...(process.env as Record<string, string>),
      LD_LIBRARY_PATH: libraries.filter((entry) => entry !== '').join(':'),
      FONTCONFIG_FILE: path.join(folder, 'fonts.conf'),
    },
  };
};

/** `CHROMIUM_PATH`, or the packaged Chromium where it runs (Linux, x64), or the Chrome of the machine. */
const browserOfThisMachine = (): LaunchOptions | Promise<LaunchOptions> => {
  const executablePath = process.env['CHROMIUM_PATH'];
  if (executablePath !== undefined && executablePath !== '') return { executablePath };
  return process.platform === 'linux' && process.arch === 'x64' ? packagedBrowser() : { channel: 'chrome' };
};

/** For anything that a page or the browser is asked to do; a busy machine may need long. */
const TIMEOUT_MS = 60_000;

/** Ends with `close()`, and with this process. */
export const launchBrowser = async (): Promise<Browser> =>
  chromium.launch({ ...(await browserOfThisMachine()), args: ARGS, headless: true, timeout: TIMEOUT_MS });

/** Builds the page into `outDir`: a folder of one's own, for others build into `dist/web` meanwhile. */
export const buildPageInto = async (outDir: string): Promise<string> => {
  const vite = path.join(projectRoot, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--config', 'web/vite.config.ts', '--outDir', outDir, '--emptyOutDir'];
  const child = spawn(process.execPath, [...args, '--logLevel', 'error'], {
    cwd: projectRoot,
    stdio: ['ignore', 'inherit', 'inherit'],
    // Jest's own NODE_ENV would make it a development build.
    env: { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'production' },
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the page could not be built: exit code ${code}`);
  return outDir;
};

/** Notes each text that the page shows, in its order: what is gone by the time one looks is seen all the same. */
const RECORDER = `
  window.shown = { percentage: [], message: [], 'current-node': [] };
  new MutationObserver(() => {
    for (const [id, texts] of Object.entries(window.shown)) {
      const text = document.querySelector('[data-testid="' + id + '"]')?.textContent ?? '';
      if (text !== '' && texts.at(-1) !== text) texts.push(text);
    }
  }).observe(document, { childList: true, characterData: true, subtree: true });`;

export interface Shown {
  readonly percentage: readonly string[];
  readonly message: readonly string[];
  readonly 'current-node': readonly string[];
}

/** Everything that was shown since the page was last loaded. */
export const shownOn = (page: Page): Promise<Shown> => page.evaluate<Shown>('window.shown');

export interface VisitOptions extends BrowserContextOptions {
  /** Errors in the console that are part of the scenario. */
  readonly expectedErrors?: readonly RegExp[];
  /** Runs in each of its pages before the page's own scripts. */
  readonly script?: string;
}

/** Opens the page in a context of its own; rejects when the page wrote an error to its console, or threw one. */
export const visit = async (
  browser: Browser,
  url: string,
  scenario: (page: Page) => Promise<void>,
  { expectedErrors = [], script, ...options }: VisitOptions = {},
): Promise<void> => {
  // A page that moves is drawn sixty times a second, by the processor: tests of motion ask for it.
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(TIMEOUT_MS);
  if (script !== undefined) await context.addInitScript(script);
  const errors: string[] = [];
  try {
    const page = await context.newPage();
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    await page.addInitScript(RECORDER);
    await page.goto(url);
    await page.getByTestId('generate').waitFor();
    await scenario(page);
  } finally {
    await context.close();
  }
  const unexpected = errors.filter((text) => !expectedErrors.some((expected) => expected.test(text)));
  if (unexpected.length > 0) throw new Error(`the page wrote errors:\n${unexpected.join('\n')}`);
};
