/** A person makes pictures: from the form to the picture, its job and the gallery. */
import { expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page, Response } from 'playwright-core';
import {
  browserSuite,
  editSubmission,
  finished,
  generate,
  percentage,
  pictures,
  runningJob,
  showsStep,
  visible,
} from '../support/browser-suite.ts';
import { shownOn } from '../support/browser.ts';
import { textToImage } from '../support/workflows.ts';

const suite = browserSuite();

const numbers = (texts: readonly string[]): number[] => texts.map((text) => Number.parseInt(text, 10));
const ascending = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
const naturalWidth = (page: Page): Promise<number> =>
  pictures(page).evaluate(async (picture: { decode(): Promise<void>; naturalWidth: number }) => {
    await picture.decode();
    return picture.naturalWidth;
  });

test('Generate shows the node, the steps and a percentage that only rises, then the very picture', async () => {
  await suite().open(async (page) => {
    const { pod, pipeline } = suite();
    const received: Response[] = [];
    page.on('response', (response) => received.push(response));
    await pod.hold(5);
    await generate(page, '1001');
    for (const step of [5, 10, 15]) {
      await pod.hold(step);
      await showsStep(page, step);
      expect(await page.getByTestId('current-node').textContent()).toBe('K-Sampler');
      expect(await percentage(page)).toBeLessThan(100);
    }
    await pod.release();
    await finished(page);
    const src = await pictures(page).getAttribute('src');
    expect(await naturalWidth(page)).toBeGreaterThan(0);
    const name = (await pictures(page).getAttribute('alt'))!.replace('Generated: ', '');
    const bytes = await received.find((response) => response.url() === src)!.body();
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

test('a refresh of a run that stands still goes on with the same job, at the very same percentage', async () => {
  const { pod, pipeline } = suite();
  await suite().open(async (page) => {
    await pod.hold(9);
    const job = await generate(page, '1002');
    await showsStep(page, 9);
    await pod.untilHeld();
    await pipeline.demo.aws.idle();
    const before = await percentage(page);
    expect(before).toBeGreaterThan(0);
    const running = page.locator('[data-testid="job-row"][data-status="running"]');
    expect(await running.getAttribute('data-job')).toBe(job);
    await page.reload();
    expect(await runningJob(page)).toBe(job);
    await showsStep(page, 9);
    expect(await percentage(page)).toBe(before);
    await visible(running);
    expect(await running.getAttribute('data-job')).toBe(job);
    expect(await running.getByRole('progressbar').getAttribute('aria-valuenow')).toBe(String(before));
    await pod.release();
    await finished(page);
    const seen = numbers((await shownOn(page)).percentage);
    expect(seen[0]).toBeGreaterThanOrEqual(before);
    expect(seen[0]).toBeLessThan(100);
    expect(seen).toEqual(ascending(seen));
    const task = await pipeline.api.get(job);
    expect(task).toMatchObject({ status: 'completed', retry_count: 0 });
    expect(await pictures(page).getAttribute('src')).toBe(task.result?.outputs[0]?.src);
    expect(await runningJob(page)).toBeNull();
  });
});

test('each picture has a seed of its own where a person wants that, and the form shows which', async () => {
  await suite().open(async (page) => {
    const submittedSeed = async (): Promise<string | undefined> => {
      const answer = page.waitForResponse(
        (response) => response.request().method() === 'POST' && response.url().endsWith('/api/v1/tasks'),
      );
      await page.getByTestId('generate').click();
      const { id } = (await (await answer).json()) as { id: string };
      return /"seed": ?(\d+)/.exec(await suite().pipeline.api.getText(id))?.[1];
    };
    const shownSeed = (): Promise<string> => page.getByTestId('seed').inputValue();
    await page.getByTestId('steps').fill('1');
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

/** Three frames and few pixels say as much as the eight large ones of the example. */
const small = (body: string): string =>
  body
    .replace(/"(width|height)": ?\d+/g, '"$1":64')
    .replace(/"batch_size": ?8/, '"batch_size":3')
    .replace(/"steps": ?\d+/, '"steps":2');

test('an animation is shown as one, and is in the gallery beside the next picture', async () => {
  await suite().open(async (page) => {
    await editSubmission(page, small);
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
  await suite().open(async (page) => {
    await suite().pod.hold(10);
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
    expect((await suite().pipeline.api.get(id)).status).toBe('cancelled');
    await page.reload();
    await visible(row.getByText('Cancelled'));
    await suite().pod.release();
    await page.waitForFunction(
      `[...document.querySelectorAll('[data-testid="job-row"]')].slice(0, 4).filter((row) => row.dataset.status === 'completed').length === 3`,
    );
    await visible(
      page.locator('[data-testid="job-row"][data-status="completed"]').first().getByTestId('job-picture'),
    );
  });
});

test("a job's page has the timeline of its nodes, and hands its settings back to the form", async () => {
  await suite().open(async (page) => {
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
  await suite().open(async (page) => {
    await editSubmission(page, small);
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

test('the workers are shown, and the events of a job pass by', async () => {
  await suite().openWhole(async (page) => {
    await page.getByRole('link', { name: 'Workers' }).click();
    const worker = page.getByTestId('worker').first();
    await visible(worker.getByText('Ready for the next job.'));
    await worker.getByRole('button', { name: /^Drain/ }).click();
    await visible(worker.getByText('draining', { exact: true }));
    await worker.getByRole('button', { name: /^Resume/ }).click();
    await visible(worker.getByText('idle', { exact: true }));
    await page.getByRole('link', { name: 'Events' }).click();
    const id = await suite().pipeline.api.submit(textToImage({ steps: 2, seed: 1008 }));
    const row = page.locator('[data-testid="event"][data-type="Task Completed"]', {
      hasText: id.slice(0, 8),
    });
    await visible(row);
    await row.locator('summary').click();
    await visible(row.getByText(id).first());
  });
});
