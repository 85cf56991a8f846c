/** What may happen to a job and to its socket while the page watches: cut, silent, cancelled, failed, huge, watched twice. */
import { describe, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import type { Watcher } from '../support/pipeline.ts';
import { dropFile } from '../support/browser-drop.ts';
import { catchingUp, type LinkedJob, type ProxiedLink } from '../support/browser-proxy.ts';
import {
  browserSuite,
  chosen,
  connectionIs,
  finished,
  generate,
  percentage,
  showsStep,
  visible,
  WAIT_MS,
} from '../support/browser-suite.ts';
import { shownOn } from '../support/browser.ts';
import { waitUntil } from '../support/wait.ts';
import { textToImage, type Workflow } from '../support/workflows.ts';

const suite = browserSuite();

const rising = async (page: Page): Promise<number[]> => {
  const seen = (await shownOn(page)).percentage.map((text) => Number.parseInt(text, 10));
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  return seen;
};

const linksSince = (count: number): readonly ProxiedLink[] => suite().proxy.links.slice(count);

/** Another watcher of the job, with a line of its own: knows how far it is while the page cannot. */
const watcherOf = async (jobId: string): Promise<Watcher> => {
  const watcher = await suite().pipeline.watch();
  watcher.follow(jobId);
  return watcher;
};
const reaches = (watcher: Watcher, jobId: string, step: number): Promise<unknown> =>
  watcher.until(jobId, (push) => JSON.stringify(push).includes(`${step}/20 steps`), WAIT_MS);

/** The page is at step 5 of a job that goes no further; answers its id and how many connections were before it. */
const atStepFive = async (page: Page, seed: string): Promise<{ job: string; links: number }> => {
  const links = suite().proxy.links.length;
  await suite().pod.hold(5);
  const job = await generate(page, seed);
  await showsStep(page, 5);
  return { job, links };
};

/** The job goes on to step 12 and stands still again, while the page hears nothing. */
const movesOn = async (watcher: Watcher, job: string): Promise<void> => {
  await suite().pod.hold(12);
  await reaches(watcher, job, 12);
  await suite().pipeline.demo.aws.idle();
};

/**
 * The page is connected again, and asked once, and was answered once. Only where the job changed while the answer
 * was on its way, which its sequence shows, is there a second one.
 */
const caughtUp = async (page: Page, job: string, links: number): Promise<void> => {
  const again = (): LinkedJob[] => linksSince(links + 1).map((link) => catchingUp(link, job));
  const told = (): boolean => again().some(({ snapshots }) => snapshots.length > 0);
  await waitUntil(told, { what: 'the snapshot after the cut', timeoutMs: WAIT_MS });
  await connectionIs(page, 'open');
  await showsStep(page, 12);
  expect(again()).toHaveLength(1);
  const [{ asked, snapshots }] = again() as [LinkedJob];
  expect(asked).toBe(1);
  expect(snapshots.length).toBeLessThanOrEqual(2);
  expect(snapshots).toEqual([...new Set(snapshots)].sort((a, b) => a - b));
};

const endsWell = async (page: Page, job: string): Promise<void> => {
  await suite().pod.release();
  await finished(page);
  expect((await rising(page)).at(-1)).toBe(100);
  expect(await suite().pipeline.api.get(job)).toMatchObject({ status: 'completed', retry_count: 0 });
};

/** Virtual seconds of the page's clock, one after the other, so that the network can answer in between. */
const pass = async (page: Page, seconds: number): Promise<void> => {
  for (let second = 0; second < seconds; second += 1) await page.clock.runFor(1000);
};
const NETWORK_ERRORS = { expectedErrors: [/WebSocket connection to/, /net::ERR_/] };

describe('a socket', () => {
  test('that is cut in mid-run opens again, and one snapshot catches up', async () => {
    await suite().open(async (page) => {
      const { job, links } = await atStepFive(page, '3001');
      const before = await percentage(page);
      const watcher = await watcherOf(job);
      suite().proxy.cut();
      await visible(page.getByTestId('connection').filter({ hasText: /Reconnecting|Polling/ }));
      await movesOn(watcher, job);
      suite().proxy.restore();
      await caughtUp(page, job, links);
      expect(await percentage(page)).toBeGreaterThan(before);
      await endsWell(page, job);
    }, NETWORK_ERRORS);
  });

  test('that is away for 30 s with the whole network comes back with it, and one snapshot catches up', async () => {
    await suite().open(async (page) => {
      await page.clock.install();
      await page.reload();
      const { job, links } = await atStepFive(page, '3002');
      const before = await percentage(page);
      const watcher = await watcherOf(job);
      suite().proxy.cut();
      await page.context().setOffline(true);
      await movesOn(watcher, job);
      await pass(page, 30);
      await connectionIs(page, 'polling');
      // Nobody could tell the page anything: it shows what it knew, as it knew it.
      await showsStep(page, 5);
      expect(await percentage(page)).toBe(before);
      suite().proxy.restore();
      await page.context().setOffline(false);
      await caughtUp(page, job, links);
      await endsWell(page, job);
    }, NETWORK_ERRORS);
  });

  test('that dies without a word is found out, and one snapshot catches up', async () => {
    await suite().open(async (page) => {
      await page.clock.install();
      await page.reload();
      const { job, links } = await atStepFive(page, '3003');
      const watcher = await watcherOf(job);
      suite().proxy.silence();
      await movesOn(watcher, job);
      const reconnected = async (): Promise<boolean> => {
        await pass(page, 1);
        return linksSince(links).length > 1;
      };
      await waitUntil(reconnected, { what: 'a second connection', timeoutMs: WAIT_MS });
      await caughtUp(page, job, links);
      await endsWell(page, job);
    });
  });
});

test('two tabs follow one job to its end, and one that is closed takes nothing from the other', async () => {
  await suite().open(async (page) => {
    const { job } = await atStepFive(page, '3101');
    const [second, third] = [await page.context().newPage(), await page.context().newPage()];
    for (const tab of [second, third]) {
      await tab.goto(`${suite().pageUrl}#/jobs/${job}`);
      await showsStep(tab, 5);
    }
    expect(await percentage(second)).toBe(await percentage(page));
    await suite().pod.hold(10);
    for (const tab of [page, second, third]) await showsStep(tab, 10);
    await third.close();
    await suite().pod.hold(15);
    for (const tab of [page, second]) await showsStep(tab, 15);
    await suite().pod.release();
    await Promise.all([finished(page), finished(second)]);
    const sources = [page, second].map((tab) => tab.getByTestId('picture').getAttribute('src'));
    const [first, other] = await Promise.all(sources);
    expect(other).toBe(first);
    expect((await rising(page)).at(-1)).toBe(100);
    expect(await percentage(second)).toBe(100);
  });
});

const row = (page: Page, job: string): Locator => page.locator(`[data-testid="job-row"][data-job="${job}"]`);

/** Fails while the page watches: why it failed is in the push alone. Answers the id of the job. */
const failing = async (page: Page, kind: string, seed: string): Promise<string> => {
  const { pod } = suite();
  await pod.failNext(kind);
  await pod.hold(1);
  const job = await generate(page, seed);
  await showsStep(page, 1);
  await pod.release();
  return job;
};

describe('a job', () => {
  test('that runs is cancelled from the page, and the next one of its pod runs as if nothing was', async () => {
    await suite().open(async (page) => {
      const { job } = await atStepFive(page, '3201');
      const neighbour = await suite().pipeline.api.submit(textToImage({ seed: 3202, steps: 20 }));
      // With the list comes the neighbour, and after a refresh the job is still this page's to cancel.
      await page.reload();
      await showsStep(page, 5);
      await visible(row(page, neighbour));
      await page.getByTestId('cancel').click();
      await visible(page.getByRole('heading', { name: 'Cancelled' }));
      expect(await page.getByTestId('cancel').count()).toBe(0);
      await visible(row(page, job).getByText('Cancelled'));
      // It stands where the other one stood: the hold is the pod's.
      await visible(row(page, neighbour).getByText('5/20 steps'));
      await suite().pod.release();
      await visible(page.locator(`[data-job="${neighbour}"][data-status="completed"]`));
      const { api } = suite().pipeline;
      expect(await api.get(neighbour)).toMatchObject({ status: 'completed', retry_count: 0 });
      expect((await api.get(job)).status).toBe('cancelled');
      const ends = (await suite().pod.runs()).map(({ jobId, end }) => [jobId, end]);
      expect(Object.fromEntries(ends)).toMatchObject({
        [job]: 'execution_interrupted',
        [neighbour]: 'execution_success',
      });
    });
  });

  test('that fails names the node and what to do, and is tried again as a new one', async () => {
    await suite().open(async (page) => {
      const job = await failing(page, 'execution_error', '3203');
      const error = page.getByTestId('error');
      await visible(error);
      expect(await error.locator('strong').textContent()).toBe('K-Sampler (KSampler, node 3)');
      expect((await error.locator('span').first().textContent())!.length).toBeGreaterThan(10);
      await visible(error.getByText('Check the inputs of this node, then generate again.'));
      expect(await page.getByTestId('picture').count()).toBe(0);
      await visible(row(page, job).getByText(/Check the inputs of this node, then generate again/));
      // Whoever comes when it is over is told as much as whoever watched.
      const later = await page.context().newPage();
      await later.goto(`${suite().pageUrl}#/jobs/${job}`);
      await visible(later.getByTestId('error').getByText('K-Sampler (KSampler, node 3)'));
      await visible(later.getByTestId('error').getByText(/Check the inputs of this node/));
      await later.close();
      await page.getByTestId('retry').click();
      await finished(page);
      expect(await error.count()).toBe(0);
      const done = page.locator('[data-testid="job-row"][data-status="completed"]').first();
      const next = (await done.getAttribute('data-job'))!;
      expect(next).not.toBe(job);
      const { api } = suite().pipeline;
      expect(await api.get(next)).toMatchObject({ status: 'completed', retry_of: job });
      expect((await api.get(job)).status).toBe('failed');
      await visible(page.locator(`[data-job="${job}"][data-status="failed"]`));
    });
  });
});

/** A text-to-image workflow whose picture is inverted until there are so many nodes. */
const longWorkflow = (nodes: number): Workflow => {
  const workflow = textToImage({ steps: 4, seed: 3301 });
  const save = workflow['9']!;
  let last = '8';
  for (let id = 100; Object.keys(workflow).length < nodes; id += 1) {
    workflow[String(id)] = { class_type: 'ImageInvert', inputs: { image: [last, 0] } };
    last = String(id);
  }
  save.inputs['images'] = [last, 0];
  return workflow;
};

/** Counts how often the page changes anything at all; mutations that one task made count once. */
const COUNT_CHANGES = `
  window.changes = 0;
  new MutationObserver(() => { window.changes += 1; })
    .observe(document.body, { childList: true, characterData: true, attributes: true, subtree: true });`;

test('a workflow of 200 nodes is dropped, runs, and costs the page no more than its pushes', async () => {
  const { pod, folder, proxy } = suite();
  const file = path.join(folder, 'two-hundred.json');
  await writeFile(file, JSON.stringify(longWorkflow(200)));
  await suite().open(async (page) => {
    await dropFile(page, file);
    await chosen(page, 'two-hundred (file)');
    await pod.hold(2);
    await generate(page, '3301');
    await visible(page.getByTestId('message').filter({ hasText: '2/4 steps' }));
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busy = async (): Promise<number> => {
      const { metrics } = await session.send('Performance.getMetrics');
      return metrics.find(({ name }) => name === 'TaskDuration')!.value;
    };
    await page.evaluate(COUNT_CHANGES);
    const link = proxy.links.at(-1)!;
    const [pushesBefore, busyBefore, startedAt] = [link.received.length, await busy(), Date.now()];
    await pod.release();
    await page.getByTestId('prompt').fill('typed while it runs');
    expect(await page.getByTestId('prompt').inputValue()).toBe('typed while it runs');
    await finished(page);
    await visible(page.getByTestId('history').getByText(/^200(, \d+ cached)?$/));
    const pushes = link.received.length - pushesBefore;
    const seconds = (Date.now() - startedAt) / 1000;
    const changes = await page.evaluate<number>('window.changes');
    const worked = (await busy()) - busyBefore;
    expect(pushes).toBeGreaterThan(0);
    // The rest is the page's own clocks: the list is looked at, and times are told anew.
    expect(changes).toBeLessThan(2 * pushes + 2 * seconds + 30);
    // Seconds of the page's own thread, not of the clock: what others do on the machine is not counted.
    expect(worked).toBeLessThan(3 + 0.3 * pushes);
    expect(await page.getByTestId('history').locator('li').count()).toBe(200);
    await rising(page);
  });
});
