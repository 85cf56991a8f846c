/** What the browser tests share: one pipeline, one browser, one page server, and the words for what the page shows. */
import { afterAll, afterEach, beforeAll, jest } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import type { DemoOptions } from '../../demo/start-demo.ts';
import { startPageServer, type PageServer } from '../../demo/page-server.ts';
import { startSocketProxy, type SocketProxy } from './browser-proxy.ts';
import { launchBrowser, visit, type VisitOptions } from './browser.ts';
import { testPage } from './page.ts';
import { startPipeline, type Pipeline } from './pipeline.ts';
import { podControl, type PodControl } from './pods.ts';
import { waitUntil } from './wait.ts';

/** Milliseconds. Generous: only waited out by a test that fails. */
export const WAIT_MS = 90_000;

export interface BrowserSuite {
  readonly pipeline: Pipeline;
  readonly browser: Browser;
  readonly pod: PodControl;
  /** Where files of a test go; removed with everything else. */
  readonly folder: string;
  /** Between the socket of every page and the API. */
  readonly proxy: SocketProxy;
  /** The page whose socket leads through the proxy. */
  readonly pageUrl: string;
  /** The page in a context of its own; rejects when it writes an unexpected error. */
  open(scenario: (page: Page) => Promise<void>, options?: VisitOptions): Promise<void>;
}

/** Started before the first test of the file, stopped after the last; a held pod goes on after each. */
export const browserSuite = (options: Partial<DemoOptions> = {}): (() => BrowserSuite) => {
  jest.setTimeout(3 * WAIT_MS);
  let suite: BrowserSuite | undefined;
  let site: PageServer | undefined;
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'comfyui-pipeline-browser-'));
    const pageDir = await testPage();
    const [pipeline, browser] = await Promise.all([
      startPipeline({ pageDir, stepDelayMs: 20, ...options }),
      launchBrowser(),
    ]);
    const { apiUrl, webSocketUrl } = pipeline.demo.endpoints;
    const proxy = await startSocketProxy(webSocketUrl);
    site = await startPageServer({ folder: pageDir, config: { apiUrl, webSocketUrl: proxy.url } }, 0);
    const { url: pageUrl } = site;
    const pod = podControl(pipeline.demo.pods[0]!.url);
    const open: BrowserSuite['open'] = (scenario, visiting) => visit(browser, pageUrl, scenario, visiting);
    suite = { pipeline, browser, pod, folder, proxy, pageUrl, open };
  }, 240_000);

  afterEach(async () => {
    await suite?.pod.release();
    suite?.proxy.restore();
  });

  afterAll(async () => {
    await suite?.browser.close();
    await site?.close();
    await suite?.proxy.close();
    await suite?.pipeline.stop();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  return () => {
    if (suite === undefined) throw new Error('the suite has not started');
    return suite;
  };
};

export const visible = (locator: Locator): Promise<void> =>
  locator.waitFor({ state: 'visible', timeout: WAIT_MS });
export const pictures = (page: Page): Locator => page.getByTestId('picture');

/** Shown as finished, and with its first picture. */
export const finished = async (page: Page): Promise<void> => {
  await visible(page.getByRole('heading', { name: 'Finished' }));
  await visible(pictures(page).first());
};

/** Submits the form; answers the id of its job once the page follows it. */
export const generate = async (page: Page, seed: string): Promise<string> => {
  const before = await runningJob(page);
  await page.getByTestId('seed').fill(seed);
  await page.getByTestId('generate').click();
  const started = async (): Promise<string | false> => {
    const refused = page.getByTestId('error');
    if ((await refused.count()) > 0) throw new Error(`it was refused: ${await refused.innerText()}`);
    const job = await runningJob(page);
    return job !== null && job !== before && job;
  };
  return waitUntil(started, { what: 'the page to follow its job', timeoutMs: WAIT_MS });
};

export const runningJob = (page: Page): Promise<string | null> =>
  page.evaluate<string | null>(`sessionStorage.getItem('generation.jobId')`);

/** Waits until the page says that the sampler is at this step of 20. */
export const showsStep = (page: Page, step: number): Promise<void> =>
  visible(page.getByTestId('message').filter({ hasText: `${step}/20 steps` }));

/** The number that the page shows, or -1 while it shows none. */
export const percentage = async (page: Page): Promise<number> => {
  const [text] = await page.getByTestId('percentage').allTextContents();
  return text === undefined ? -1 : Number.parseInt(text, 10);
};

export const connectionIs = (page: Page, state: string): Promise<void> =>
  visible(page.locator(`[data-testid="connection"][data-state="${state}"]`));

export const overflow = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

/** Waits until this is the chosen workflow of the form, by its text in the list. */
export const chosen = async (page: Page, text: string): Promise<void> => {
  const selected = `document.querySelector('[data-testid="workflow"]')?.selectedOptions[0]?.text ?? ''`;
  const isChosen = async (): Promise<boolean> => {
    const problem = page.getByTestId('file-problem');
    if ((await problem.count()) > 0) throw new Error(`it was refused: ${await problem.innerText()}`);
    return (await page.evaluate<string>(selected)) === text;
  };
  await waitUntil(isChosen, { what: `“${text}” in the form`, timeoutMs: WAIT_MS });
};
