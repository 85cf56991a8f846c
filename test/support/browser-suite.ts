/**
 * What the browser tests share: one pipeline, one browser, one page server, and the words for what the page shows. All
 * scenarios of a test file share them, for starting them costs as much processor time as a dozen jobs.
 */
import { afterAll, afterEach, beforeAll, jest } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { projectRoot } from '../../demo/build.ts';
import { startPageServer, type PageServer } from '../../demo/page-server.ts';
import { startSocketProxy, type SocketProxy } from './browser-proxy.ts';
import { forgetEndedJobs } from './ended-jobs.ts';
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
  readonly open: Open;
  /** The page that `npm start` serves, which has the events of the bus too; its socket leads straight to the API. */
  readonly openWhole: Open;
}

/** The form begins with the first example, its picture so many pixels wide and high. */
export interface SceneOptions extends VisitOptions {
  /** Default 64: few pixels cost the pod, the store and the browser little, and are a picture all the same. */
  readonly size?: number;
}
type Open = (scenario: (page: Page) => Promise<void>, options?: SceneOptions) => Promise<void>;

let suite: BrowserSuite | undefined;
let isAwaited = false;

/** Milliseconds of a step: what is to be seen is held, so that nobody waits for the rest. */
const STEP_DELAY_MS = 4;
/** Each progress event costs three functions and a redrawing. */
const MONITOR_ENV = { MONITOR_PROGRESS_INTERVAL_MS: '200' };

const EXAMPLE = path.join(projectRoot, 'web/page/workflow/examples/text_to_image_v1.json');

/** What the page finds is what it kept itself, in the tab, of a form that was filled in before a refresh. */
const draftScript = (example: string, size: number): string => {
  const text = example.replace(/("(?:width|height)": )\d+/g, `$1${size}`);
  const draft = { workflowId: 'text_to_image_v1', text, named: {}, origin: '', typed: {} };
  return `sessionStorage.getItem('draft') ?? sessionStorage.setItem('draft', ${JSON.stringify(JSON.stringify(draft))});`;
};

const startSuite = (): void => {
  jest.setTimeout(3 * WAIT_MS);
  let site: PageServer | undefined;
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'comfyui-pipeline-browser-'));
    const pageDir = await testPage();
    const [pipeline, browser] = await Promise.all([
      startPipeline({ pageDir, stepDelayMs: STEP_DELAY_MS, monitorEnv: MONITOR_ENV }),
      launchBrowser(),
    ]);
    const { apiUrl, webSocketUrl } = pipeline.demo.endpoints;
    const proxy = await startSocketProxy(webSocketUrl);
    site = await startPageServer({ folder: pageDir, config: { apiUrl, webSocketUrl: proxy.url } }, 0);
    const { url: pageUrl } = site;
    const pod = podControl(pipeline.demo.pods[0]!.url);
    const example = await readFile(EXAMPLE, 'utf8');
    const opener =
      (url: string): Open =>
      (scenario, { size = 64, ...visiting } = {}) =>
        visit(browser, url, scenario, { script: draftScript(example, size), ...visiting });
    const [open, openWhole] = [opener(pageUrl), opener(pipeline.demo.endpoints.pageUrl!)];
    suite = { pipeline, browser, pod, folder, proxy, pageUrl, open, openWhole };
  }, 240_000);

  afterEach(async () => {
    suite?.proxy.restore();
    await suite?.pod.release();
    if (suite === undefined) return;
    // What a test left behind would stand at the hold of the next one, before its own job.
    await untilIdle(suite.pod);
    // And it would be in the list of every page, which asks for each of its pictures.
    await forgetEndedJobs(suite.pipeline.demo);
  });

  afterAll(async () => {
    await suite?.browser.close();
    await site?.close();
    await suite?.proxy.close();
    await suite?.pipeline.stop();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);
};

/** Started before the first test of the file, stopped after the last; a held pod goes on after each. */
export const browserSuite = (): (() => BrowserSuite) => {
  if (!isAwaited) startSuite();
  isAwaited = true;
  return () => {
    if (suite === undefined) throw new Error('the suite has not started');
    return suite;
  };
};

const untilIdle = (pod: PodControl): Promise<unknown> =>
  waitUntil(
    async () => {
      const { running, pending } = await pod.queue();
      return running.length + pending.length === 0;
    },
    { what: 'the pod to have nothing left', timeoutMs: WAIT_MS },
  );

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

/** Changes what the page submits on its way, to what no form field can say. */
export const editSubmission = (page: Page, edit: (body: string) => string): Promise<unknown> =>
  page.route('**/api/v1/tasks', (route) =>
    route.continue({ postData: edit(route.request().postData() ?? '') }),
  );
