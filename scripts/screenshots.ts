/** Takes the README's pictures of the page: starts the demo, presses Generate, photographs it in mid-run and done. */
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Browser, Page } from 'playwright-core';
import { buildAssembly } from '../demo/build.ts';
import { startDemo, type Demo } from '../demo/start-demo.ts';
import { buildPageInto, launchBrowser } from '../test/support/browser.ts';

interface Settings {
  readonly out: string;
  readonly theme: 'dark' | 'light';
  readonly width: number;
  readonly height: number;
  /** Percentage at which the first picture is taken. */
  readonly at: number;
}

const WAIT_MS = 60_000;
/** Slow enough that the page stands still between two steps. */
const STEP_DELAY_MS = 400;

const between =
  (from: number, to: number) =>
  (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };

const readCommandLine = (): Settings =>
  new Command('npx tsx scripts/screenshots.ts')
    .description("Takes running.png and done.png of the page, the README's pictures. Needs no other program.")
    .option('--out <dir>', 'folder of the pictures', 'docs/screenshots')
    .addOption(new Option('--theme <theme>', 'colours').choices(['dark', 'light']).default('dark'))
    .option('--width <pixels>', 'width of the window', between(320, 3840), 1280)
    .option('--height <pixels>', 'height of the window', between(320, 2160), 900)
    .option('--at <percent>', 'percentage at which running.png is taken', between(1, 95), 60)
    .parse()
    .opts<Settings>();

const openPage = async (browser: Browser, url: string, settings: Settings): Promise<Page> => {
  const { width, height, theme } = settings;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: theme });
  page.setDefaultTimeout(WAIT_MS);
  await page.goto(url);
  await page.getByTestId('generate').click();
  await page.mouse.move(0, 0);
  return page;
};

/** What the window shows of the page, without the empty space below it; animations stand still. */
const take = async (page: Page, { out, width, height }: Settings, name: string): Promise<void> => {
  const file = path.join(out, name);
  // Pressing Generate may have moved it.
  await page.evaluate('window.scrollTo(0, 0)');
  const bottom = await page.evaluate<number>(`document.querySelector('main').getBoundingClientRect().bottom`);
  const clip = { x: 0, y: 0, width, height: Math.min(height, Math.ceil(bottom)) };
  await page.screenshot({ path: file, animations: 'disabled', clip });
  const { size } = await stat(file);
  console.log(`${path.relative(process.cwd(), file)}  ${Math.ceil(size / 1000)} KB`);
};

const takeBoth = async (page: Page, settings: Settings): Promise<void> => {
  const shown = `document.querySelector('[data-testid="percentage"]')?.textContent`;
  await page.waitForFunction(`Number.parseInt(${shown}, 10) >= ${settings.at}`);
  await take(page, settings, 'running.png');
  await page.getByRole('heading', { name: 'Finished' }).waitFor();
  await page.waitForFunction(`document.querySelector('[data-testid="picture"]')?.naturalWidth > 0`);
  await take(page, settings, 'done.png');
};

const photograph = async (demo: Demo, settings: Settings): Promise<void> => {
  const { pageUrl } = demo.endpoints;
  if (pageUrl === null) throw new Error('the demo serves no page');
  const browser = await launchBrowser();
  try {
    await takeBoth(await openPage(browser, pageUrl, settings), settings);
  } finally {
    await browser.close();
  }
};

const main = async (): Promise<void> => {
  const settings = readCommandLine();
  await mkdir(settings.out, { recursive: true });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'screenshots-'));
  const [assembly, pageDir, logDir] = ['cdk.out', 'page', 'logs'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  try {
    await Promise.all([buildAssembly(assembly), buildPageInto(pageDir)]);
    const demo = await startDemo({
      assembly,
      pageDir,
      logDir,
      port: 0,
      pods: 1,
      stepDelayMs: STEP_DELAY_MS,
      monitorEnv: { MONITOR_PROGRESS_INTERVAL_MS: '100' },
    });
    try {
      await photograph(demo, settings);
    } finally {
      await demo.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

main().catch((error: unknown) => {
  console.error(`screenshots: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
