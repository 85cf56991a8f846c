/** The page in a real browser, against the whole pipeline. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { projectRoot } from '../demo/build.ts';
import { launchBrowser, shownOn, visit, type VisitOptions } from './support/browser.ts';
import { testPage } from './support/page.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';

/** Generous: it is only waited out by a test that fails. */
const WAIT_MS = 60_000;
jest.setTimeout(3 * WAIT_MS);

let pipeline: Pipeline;
let browser: Browser;

beforeAll(async () => {
  const pageDir = await testPage();
  [pipeline, browser] = await Promise.all([startPipeline({ pageDir, stepDelayMs: 80 }), launchBrowser()]);
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await pipeline?.stop();
}, 60_000);

const open = (scenario: (page: Page) => Promise<void>, options?: VisitOptions): Promise<void> =>
  visit(browser, pipeline.demo.endpoints.pageUrl!, scenario, options);

const tellPod = async (route: string, body: unknown): Promise<void> => {
  const response = await fetch(`${pipeline.demo.pods[0]!.url}/demo/${route}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
};

/** Jobs run up to this step and wait there: the page has all the time that it needs to show it. */
const runUpTo = (afterSteps: number): Promise<void> => tellPod('hold', { afterSteps });
const runOn = (): Promise<void> => tellPod('release', {});
afterEach(runOn);

const visible = (locator: Locator): Promise<void> => locator.waitFor({ state: 'visible', timeout: WAIT_MS });
const pictures = (page: Page): Locator => page.getByTestId('picture');
/** A picture is shown as soon as it is stored, which may be before the job's end. */
const finished = async (page: Page): Promise<void> => {
  await visible(page.getByRole('heading', { name: 'Finished' }));
  await visible(pictures(page));
};
const generate = async (page: Page, seed: string): Promise<void> => {
  await page.getByTestId('seed').fill(seed);
  await page.getByTestId('generate').click();
};
/** Changes what the page submits on its way, to what no form field can say. */
const editSubmission = (page: Page, edit: (body: string) => string): Promise<unknown> =>
  page.route('**/api/v1/tasks', (route) =>
    route.continue({ postData: edit(route.request().postData() ?? '') }),
  );
/** The number that the page shows, or -1 while it shows none. */
const percentage = async (page: Page): Promise<number> => {
  const [text] = await page.getByTestId('percentage').allTextContents();
  return text === undefined ? -1 : Number.parseInt(text, 10);
};
/** Waits until the page says that the sampler is at this step. */
const showsStep = (page: Page, step: number): Promise<void> =>
  visible(
    page
      .getByTestId('message')
      .filter({ hasText: `Generating image using K-Sampler: ${step}/20 steps (${step * 5}%)` }),
  );
const numbers = (texts: readonly string[]): number[] => texts.map((text) => Number.parseInt(text, 10));
const exampleText = (name: string): Promise<string> =>
  readFile(path.join(projectRoot, 'web/page/workflow/examples', `${name}.json`), 'utf8');
const ascending = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
const runningJob = (page: Page): Promise<string | null> =>
  page.evaluate<string | null>(`sessionStorage.getItem('generation.jobId')`);
const naturalWidth = (page: Page): Promise<number> =>
  pictures(page).evaluate(async (picture: { decode(): Promise<void>; naturalWidth: number }) => {
    await picture.decode();
    return picture.naturalWidth;
  });
const overflow = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

test('Generate shows the node, the steps and a percentage that only rises, then the very picture', async () => {
  await open(async (page) => {
    const received = page.waitForResponse((response) => response.request().resourceType() === 'image', {
      timeout: WAIT_MS,
    });
    await runUpTo(5);
    await generate(page, '1001');
    for (const step of [5, 10, 15]) {
      await runUpTo(step);
      await showsStep(page, step);
      expect(await page.getByTestId('current-node').textContent()).toBe('K-Sampler');
      expect(await percentage(page)).toBeLessThan(100);
    }
    await runOn();
    const bytes = await (await received).body();
    await finished(page);
    expect(await naturalWidth(page)).toBeGreaterThan(0);
    const name = (await pictures(page).getAttribute('alt'))!.replace('Generated: ', '');
    expect(bytes.equals(await readFile(path.join(pipeline.demo.pods[0]!.outputDir, name)))).toBe(true);

    const shown = await shownOn(page);
    expect(shown['current-node']).toContain('K-Sampler');
    const steps = shown.message.flatMap((text) => {
      const found = /^Generating image using K-Sampler: (\d+)\/20 steps \((\d+)%\)$/.exec(text);
      return found === null ? [] : [found.slice(1, 3).map(Number)];
    });
    expect(steps.length).toBeGreaterThan(2);
    for (const [step, percent] of steps) expect(percent).toBe(step! * 5);
    const seen = numbers(shown.percentage);
    expect(seen).toEqual(ascending(seen));
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.at(-1)).toBe(100);
  });
});

test('a refresh in mid-run goes on with the same job, at no lower percentage', async () => {
  await open(async (page) => {
    await runUpTo(10);
    await generate(page, '1002');
    await showsStep(page, 10);
    const job = await runningJob(page);
    const before = await percentage(page);
    expect(before).toBeGreaterThan(0);
    await page.reload();
    expect(await runningJob(page)).toBe(job);
    await showsStep(page, 10);
    await runOn();
    await finished(page);
    const seen = numbers((await shownOn(page)).percentage);
    expect(seen[0]).toBeGreaterThanOrEqual(before);
    expect(seen[0]).toBeLessThan(100);
    expect(seen).toEqual(ascending(seen));
    const task = await pipeline.api.get(job!);
    expect(task).toMatchObject({ status: 'completed', retry_count: 0 });
    expect(await pictures(page).getAttribute('src')).toBe(task.result?.outputs[0]?.src);
    expect(await runningJob(page)).toBeNull();
  });
});

test('a node that fails is named with its reason, and the next Generate works', async () => {
  await tellPod('fail-next', { kind: 'execution_error' });
  await open(async (page) => {
    await generate(page, '1003');
    const error = page.getByTestId('error');
    await visible(error);
    expect(await error.locator('strong').textContent()).toBe('K-Sampler (KSampler, node 3)');
    expect((await error.locator('span').first().textContent())!.length).toBeGreaterThan(10);
    await visible(error.getByText('Check the inputs of this node, then generate again.'));
    expect(await pictures(page).count()).toBe(0);
    await generate(page, '1004');
    await finished(page);
    expect(await error.count()).toBe(0);
  });
});

test('each picture has a seed of its own where a person wants that, and the form shows which', async () => {
  await open(async (page) => {
    const submittedSeed = async (): Promise<string | undefined> => {
      const answer = page.waitForResponse(
        (response) => response.request().method() === 'POST' && response.url().endsWith('/api/v1/tasks'),
      );
      await page.getByTestId('generate').click();
      const { id } = (await (await answer).json()) as { id: string };
      return /"seed": ?(\d+)/.exec(await pipeline.api.getText(id))?.[1];
    };
    const shownSeed = (): Promise<string> => page.getByTestId('seed').inputValue();
    await page.getByTestId('seed').fill('1010');
    await page.getByLabel('A new seed each time').check();
    const first = await submittedSeed();
    expect(await shownSeed()).toBe(first);
    const second = await submittedSeed();
    expect(await shownSeed()).toBe(second);
    expect(new Set(['1010', first, second]).size).toBe(3);
    await page.getByLabel('A new seed each time').uncheck();
    expect(await submittedSeed()).toBe(second);
  });
});

test('an animation is shown as one, and is in the gallery beside the next picture', async () => {
  await open(async (page) => {
    await page.getByTestId('workflow').selectOption('animated_v1');
    expect(await page.getByTestId('seed').inputValue()).toBe('18446744073709551615');
    await page.getByTestId('generate').click();
    await finished(page);
    expect(await naturalWidth(page)).toBeGreaterThan(0);
    const src = (await pictures(page).getAttribute('src'))!;
    expect(new URL(src).pathname).toMatch(/\.webp$/);
    const bytes = Buffer.from(await (await fetch(src)).arrayBuffer());
    expect(bytes.includes('ANMF')).toBe(true);
    await page.getByTestId('workflow').selectOption('upscale_v1');
    await page.getByTestId('generate').click();
    await page.waitForFunction(`document.querySelector('[data-testid="picture"]')?.src.endsWith('.png')`);
    await page.getByRole('link', { name: 'Gallery' }).click();
    const shown = page.getByTestId('gallery-picture');
    await visible(shown.nth(1));
    expect(await shown.nth(1).getAttribute('src')).toBe(src);
  });
});

test('many jobs at once: each has its place and its progress, and one of them is cancelled', async () => {
  await open(async (page) => {
    await runUpTo(10);
    for (const seed of ['2001', '2002', '2003', '2004']) await generate(page, seed);
    const running = page.locator('[data-testid="job-row"][data-status="running"]');
    await visible(running.first());
    await visible(running.getByText('10/20 steps').first());
    const waiting = page.locator('[data-testid="job-row"][data-status="pending"]').first();
    await visible(waiting.getByText(/in the queue/));
    const id = (await waiting.getAttribute('data-job'))!;
    const row = page.locator(`[data-job="${id}"]`);
    await row.getByRole('button', { name: /^Cancel/ }).click();
    await visible(row.getByText('Cancelled'));
    expect((await pipeline.api.get(id)).status).toBe('cancelled');
    await page.reload();
    await visible(row.getByText('Cancelled'));
    await runOn();
    await page.waitForFunction(
      `[...document.querySelectorAll('[data-testid="job-row"]')].slice(0, 4).filter((row) => row.dataset.status === 'completed').length === 3`,
    );
    await visible(
      page.locator('[data-testid="job-row"][data-status="completed"]').first().getByTestId('job-picture'),
    );
  });
});

test("a job's page has the timeline of its nodes, and hands its settings back to the form", async () => {
  await open(async (page) => {
    await page.getByTestId('prompt').fill('a lighthouse');
    await page.getByTestId('steps').fill('7');
    await generate(page, '9007199254740993');
    await finished(page);
    await page.getByRole('link', { name: /Timeline/ }).click();
    const sampler = page.getByTestId('node-bar').filter({ hasText: 'KSampler · node 3' });
    await visible(sampler);
    await visible(page.getByText('Storing the outputs'));
    await visible(pictures(page));
    await page.reload();
    await visible(sampler);
    await page.getByRole('button', { name: 'Reuse settings' }).click();
    await visible(page.getByTestId('prompt'));
    expect(await page.getByTestId('prompt').inputValue()).toBe('a lighthouse');
    expect(await page.getByTestId('seed').inputValue()).toBe('9007199254740993');
    expect(await page.getByTestId('steps').inputValue()).toBe('7');
  });
});

test('a picture is seen whole by keyboard: arrows, Escape, and the focus comes back', async () => {
  await open(async (page) => {
    await page.getByTestId('workflow').selectOption('image_batch_v1');
    await page.getByTestId('generate').click();
    await visible(pictures(page).nth(3));
    await page.getByRole('link', { name: 'Gallery' }).click();
    const tile = page.getByTestId('gallery-tile').nth(1);
    await tile.focus();
    await page.keyboard.press('Enter');
    const full = page.getByTestId('full-picture');
    await visible(full);
    const before = await full.getAttribute('src');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(
      `document.querySelector('[data-testid="full-picture"]')?.src !== ${JSON.stringify(before)}`,
    );
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(
      `document.querySelector('[data-testid="full-picture"]')?.src === ${JSON.stringify(before)}`,
    );
    for (let tab = 0; tab < 12; tab += 1) {
      await page.keyboard.press('Tab');
      // The browser's own bar may have the focus in between; nothing behind the picture ever has.
      expect(
        await page.evaluate(
          `document.activeElement === document.body || document.activeElement.closest('dialog') !== null`,
        ),
      ).toBe(true);
    }
    await page.keyboard.press('Escape');
    await full.waitFor({ state: 'detached' });
    expect(await tile.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
  });
});

describe('a file that is dropped', () => {
  const dropped = (page: Page, name: string, buffer: Buffer): Promise<void> =>
    page.getByTestId('workflow-file').setInputFiles({ name, mimeType: 'application/octet-stream', buffer });

  test('a picture that ComfyUI made gives its workflow, down to the last digit of its seed', async () => {
    await open(async (page) => {
      await generate(page, '18446744073709551614');
      await finished(page);
      const src = (await pictures(page).getAttribute('src'))!;
      const picture = Buffer.from(await (await fetch(src)).arrayBuffer());
      await page.getByTestId('workflow').selectOption('upscale_v1');
      await dropped(page, 'made-by-comfyui.png', picture);
      await visible(page.getByTestId('prompt'));
      expect(await page.getByTestId('seed').inputValue()).toBe('18446744073709551614');
    });
  });

  test('a workflow in the editor format says how to export it', async () => {
    await open(async (page) => {
      await dropped(page, 'ui.json', Buffer.from('{"nodes":[],"links":[]}'));
      await visible(page.getByTestId('file-problem').getByText(/Export \(API\)/));
    });
  });
});

test('the workers are shown, and the events of a job pass by', async () => {
  await open(async (page) => {
    await page.getByRole('link', { name: 'Workers' }).click();
    const worker = page.getByTestId('worker').first();
    await visible(worker.getByText('Ready for the next job.'));
    await worker.getByRole('button', { name: /^Drain/ }).click();
    await visible(worker.getByText('draining', { exact: true }));
    await worker.getByRole('button', { name: /^Resume/ }).click();
    await visible(worker.getByText('idle', { exact: true }));
    await page.getByRole('link', { name: 'Events' }).click();
    const id = await pipeline.api.submit(JSON.parse(await exampleText('upscale_v1')));
    const row = page.locator('[data-testid="event"][data-type="Task Completed"]', {
      hasText: id.slice(0, 8),
    });
    await visible(row);
    await row.locator('summary').click();
    await visible(row.getByText(id).first());
  });
});

describe('what is refused', () => {
  const toldAs = async (page: Page, text: RegExp): Promise<void> => {
    await visible(page.getByTestId('error'));
    expect(await page.getByTestId('error').textContent()).toMatch(text);
    expect(await page.getByTestId('generate').isEnabled()).toBe(true);
  };

  test('for an input of a node, is told at the field and with what to do', async () => {
    await open(
      async (page) => {
        await page.getByTestId('checkpoint').fill('missing.safetensors');
        await generate(page, '1005');
        await toldAs(page, /ckpt_name.*missing\.safetensors.*Choose one/);
        expect(await page.getByTestId('checkpoint').getAttribute('aria-invalid')).toBe('true');
        await page.getByTestId('checkpoint').fill('flux1-dev-fp8.safetensors');
        await page.getByTestId('generate').click();
        await finished(page);
        expect(await page.getByTestId('error').count()).toBe(0);
      },
      { expectedErrors: [/status of 400/] },
    );
  });

  test('by the task API, is told as text', async () => {
    await open(
      async (page) => {
        await editSubmission(page, () => '{"workflow_id":"x","payload":{"nodes":[],"links":[]}}');
        await generate(page, '1006');
        await toldAs(page, /UI-format/);
      },
      // Chromium itself writes each such answer to the console.
      { expectedErrors: [/status of 400/] },
    );
  });

  test('by nobody, for the task API is out of reach, is told as text', async () => {
    await open(
      async (page) => {
        await page.route('**/api/v1/tasks', (route) => route.abort('connectionrefused'));
        await generate(page, '1007');
        await toldAs(page, /task API/);
      },
      { expectedErrors: [/ERR_CONNECTION_REFUSED/] },
    );
  });

  test('by the form, is told beside the field', async () => {
    await open(async (page) => {
      for (const seed of ['', '-1', '1.5', '1e3', 'abc', '18446744073709551616']) {
        await page.getByTestId('seed').fill(seed);
        await visible(page.getByText('A whole number from 0 to 18446744073709551615'));
        expect(await page.getByTestId('generate').isDisabled()).toBe(true);
      }
      await page.getByTestId('seed').press('Enter');
      expect(await page.getByTestId('message').count()).toBe(0);
      await page.getByTestId('seed').fill('18446744073709551615');
      expect(await page.getByTestId('generate').isEnabled()).toBe(true);
    });
  });
});

test.each([390, 360])('a phone %i wide needs no sideways scrolling at any moment', async (width) => {
  const phone = { viewport: { width, height: 844 }, isMobile: true, hasTouch: true };
  await open(async (page) => {
    await page.getByTestId('seed').fill('18446744073709551616');
    expect(await overflow(page)).toBe(0);
    await page.getByTestId('seed').fill(`${width}`);
    await runUpTo(10);
    await page.getByTestId('generate').tap();
    await showsStep(page, 10);
    await visible(page.getByTestId('current-node'));
    expect(await overflow(page)).toBe(0);
    await runOn();
    await finished(page);
    expect(await overflow(page)).toBe(0);
    expect((await pictures(page).boundingBox())!.width).toBeLessThanOrEqual(width);
  }, phone);
});

test('the keyboard alone gets to Generate and starts it', async () => {
  await open(async (page) => {
    const focused = (): Promise<string | undefined> =>
      page.evaluate<string | undefined>('document.activeElement?.dataset.testid');
    const stops: (string | undefined)[] = [];
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
    await page.keyboard.press('Enter');
    for (let tab = 0; tab < 40 && stops.at(-1) !== 'generate'; tab += 1) {
      await page.keyboard.press('Tab');
      stops.push(await focused());
    }
    expect(stops.filter((stop) => stop !== undefined)).toEqual([
      'workflow',
      'prompt',
      'negative',
      'seed',
      'checkpoint',
      'steps',
      'generate',
    ]);
    await runUpTo(10);
    await page.keyboard.press('Enter');
    await showsStep(page, 10);
    await visible(page.getByTestId('current-node'));
    await runOn();
    await finished(page);
  });
});
