/** Everybody gets to use the page: by keyboard, by drag and drop, on a phone, in the dark, with a screen reader. */
import { describe, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { violationsOn } from '../support/browser-axe.ts';
import { dropFile, hoverFile } from '../support/browser-drop.ts';
import {
  browserSuite,
  chosen,
  finished,
  generate,
  overflow,
  pictures,
  showsStep,
  visible,
  WAIT_MS,
} from '../support/browser-suite.ts';
import { textToImage } from '../support/workflows.ts';

const suite = browserSuite();
const LARGEST_SEED = '18446744073709551615';

const fileOf = async (name: string, content: string | Uint8Array): Promise<string> => {
  const file = path.join(suite().folder, name);
  await writeFile(file, content);
  return file;
};

describe('a file that is dragged from the desktop', () => {
  test('is awaited while it hovers, and its workflow is what Generate runs', async () => {
    const file = await fileOf('heron at dawn.json', JSON.stringify(textToImage({ steps: 3, text: 'dawn' })));
    await suite().open(async (page) => {
      const hint = page.getByText('Drop the workflow: JSON or PNG');
      await hoverFile(page, file);
      await visible(hint);
      await dropFile(page, file);
      await chosen(page, 'heron at dawn (file)');
      expect(await hint.count()).toBe(0);
      expect(await page.getByTestId('prompt').inputValue()).toBe('dawn');
      const job = await generate(page, '4001');
      await finished(page);
      const task = await suite().pipeline.api.get(job);
      expect(task).toMatchObject({ status: 'completed', workflow_id: 'heron at dawn' });
    });
  });

  test('and is a picture that ComfyUI made gives its workflow, wherever it is dropped, and where it is chosen', async () => {
    const { api } = suite().pipeline;
    const payload = JSON.stringify(textToImage({ seed: 77, steps: 2, text: 'a heron' })).replace(
      '"seed":77',
      `"seed":${LARGEST_SEED}`,
    );
    const { body } = await api.post(`{"workflow_id":"seen","payload":${payload}}`);
    const { result } = await api.finished(String(body['id']), WAIT_MS);
    const picture = Buffer.from(await (await fetch(result!.outputs[0]!.src)).arrayBuffer());
    const file = await fileOf('heron.png', picture);
    await suite().open(async (page) => {
      const isShown = async (): Promise<void> => {
        await chosen(page, 'heron (file)');
        expect(await page.getByTestId('seed').inputValue()).toBe(LARGEST_SEED);
        expect(await page.getByTestId('prompt').inputValue()).toBe('a heron');
      };
      await page.getByRole('link', { name: 'Workers' }).click();
      await visible(page.getByRole('heading', { name: 'Workers' }));
      await dropFile(page, file);
      await isShown();
      await page.getByTestId('workflow').selectOption('upscale_v1');
      expect(await page.getByTestId('prompt').count()).toBe(0);
      await page.getByTestId('workflow-file').setInputFiles(file);
      await isShown();
    });
  });

  test('and is no workflow is told in one line, and the form stays as it is', async () => {
    const bare = PNG.sync.write(new PNG({ width: 8, height: 8 }));
    const refused = [
      [await fileOf('editor.json', '{"nodes":[],"links":[],"version":0.4}'), /editor format.*Export \(API\)/],
      [await fileOf('rubbish.json', '{"3": {"class_type": '), /not a workflow.*not a JSON object/],
      [
        await fileOf(
          'noise.png',
          Uint8Array.from({ length: 300 }, (_, at) => (at * 71) % 256),
        ),
        /not a workf/,
      ],
      [await fileOf('bare.png', bare), /carries no workflow/],
      [await fileOf('cut.png', bare.subarray(0, 40)), /carries no workflow/],
      [await fileOf('empty.json', ''), /not a workflow/],
    ] as const;
    await suite().open(async (page) => {
      await page.getByTestId('prompt').fill('still here');
      const problem = page.getByTestId('file-problem');
      for (const [file, reason] of refused) {
        await dropFile(page, file);
        await visible(problem.getByText(`${path.basename(file)}: `));
        const line = (await problem.locator('p').textContent())!;
        expect(line).toMatch(reason);
        expect(line).not.toMatch(/\n|undefined|\[object|Error/);
        await problem.getByRole('button', { name: 'Dismiss' }).click();
        expect(await problem.count()).toBe(0);
      }
      expect(await page.getByTestId('prompt').inputValue()).toBe('still here');
      expect(await page.getByTestId('generate').isEnabled()).toBe(true);
    });
  });
});

const isFocused = (locator: Locator): Promise<boolean> =>
  locator.evaluate((element) => element === element.ownerDocument.activeElement);

/** Presses Tab until this has the focus. */
const tabTo = async (page: Page, target: Locator): Promise<void> => {
  await visible(target);
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press('Tab');
    if (await isFocused(target)) return;
  }
  throw new Error(`Tab never reaches ${target.toString()}`);
};

/** What the form stops at, from the beginning of the content on. */
const STOPS = ['workflow', 'prompt', 'negative', 'seed', 'checkpoint', 'steps', 'generate'];
const tabToGenerate = async (page: Page): Promise<void> => {
  const stops: (string | undefined)[] = [];
  for (let tab = 0; tab < 40 && stops.at(-1) !== 'generate'; tab += 1) {
    await page.keyboard.press('Tab');
    stops.push(await page.evaluate<string | undefined>('document.activeElement?.dataset.testid'));
  }
  expect(stops.filter((stop) => stop !== undefined)).toEqual(STOPS);
};

test('the keyboard alone submits, cancels, opens the job and its picture, and finds its way back', async () => {
  const { pod } = suite();
  await suite().open(async (page) => {
    const press = async (target: Locator): Promise<void> => {
      await tabTo(page, target);
      await page.keyboard.press('Enter');
    };
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
    await page.keyboard.press('Enter');
    expect(await isFocused(page.locator('main'))).toBe(true);
    await pod.hold(4);
    await tabToGenerate(page);
    await page.keyboard.press('Enter');
    await showsStep(page, 4);
    await visible(page.getByTestId('current-node'));
    await press(page.getByTestId('cancel'));
    await visible(page.getByRole('heading', { name: 'Cancelled' }));
    await pod.release();
    await press(page.getByTestId('retry'));
    await finished(page);
    await press(page.getByRole('link', { name: /Timeline and details/ }));
    await visible(page.getByRole('heading', { name: 'Timeline' }));
    const link = page.locator('a.gc-picture-link');
    await press(link);
    await visible(page.getByTestId('full-picture'));
    await page.keyboard.press('Escape');
    await page.getByTestId('lightbox').waitFor({ state: 'detached' });
    expect(await isFocused(link)).toBe(true);
    await press(link);
    await press(page.getByTestId('lightbox').getByRole('button', { name: 'Close' }));
    await page.getByTestId('lightbox').waitFor({ state: 'detached' });
    expect(await isFocused(link)).toBe(true);
    expect(page.context().pages()).toHaveLength(1);
  });
});

const endlessAnimations = (page: Page): Promise<number> =>
  page.evaluate<number>(
    `document.getAnimations().filter((one) => one.playState === 'running' &&
       one.effect.getComputedTiming().endTime === Infinity).length`,
  );

const MOVING = { reducedMotion: 'no-preference' } as const;

test('nothing moves by itself for whoever asked for less motion', async () => {
  await suite().open(async (page) => {
    await suite().pod.hold(3);
    await generate(page, '4102');
    await showsStep(page, 3);
    expect(await endlessAnimations(page)).toBeGreaterThan(0);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await endlessAnimations(page)).toBe(0);
  }, MOVING);
});

/** Colours on their way to others are of neither side; an inherited one sets out anew at each element. */
const settled = (page: Page): Promise<unknown> =>
  page.waitForFunction(`document.getAnimations().every(({ playState }) => playState !== 'running')`);
const background = async (page: Page): Promise<string> => {
  await settled(page);
  return page.evaluate<string>(`getComputedStyle(document.body).backgroundColor`);
};

test('dark and light are as the system says, until a person chooses, and the choice is kept', async () => {
  await suite().open(
    async (page) => {
      const dark = await background(page);
      await page.emulateMedia({ colorScheme: 'light' });
      const light = await background(page);
      expect(light).not.toBe(dark);
      const theme = page.getByTestId('theme');
      await theme.click();
      await theme.click();
      await visible(page.getByRole('button', { name: 'Colours: dark. Change' }));
      expect(await background(page)).toBe(dark);
      await page.reload();
      await visible(page.getByRole('button', { name: 'Colours: dark. Change' }));
      expect(await background(page)).toBe(dark);
    },
    { colorScheme: 'dark', reducedMotion: 'reduce' },
  );
});

/** No rule broken in light and in dark, and on a phone, which also needs no sideways scrolling. */
const isAccessible = async (page: Page, state: string): Promise<void> => {
  const desk = page.viewportSize()!;
  const found: string[] = [];
  const look = async (where: string, rules: 'every' | 'colours' = 'every'): Promise<void> => {
    // Elsewhere, the header would lie over whatever the window happens to begin with.
    await page.evaluate('scrollTo(0, 0)');
    await settled(page);
    found.push(...(await violationsOn(page, rules)).map((text) => `${state}, ${where}: ${text}`));
  };
  await page.emulateMedia({ colorScheme: 'light' });
  await look('light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await look('dark', 'colours');
  await page.setViewportSize({ width: 360, height: 780 });
  await look('phone');
  const tooWide = await overflow(page);
  if (tooWide !== 0) found.push(`${state}, phone: ${tooWide} pixels too wide`);
  await page.setViewportSize(desk);
  expect(found).toEqual([]);
};

describe('nobody is shut out of', () => {
  test('the form, a running job whose picture is seen while it is made, a finished one and its page', async () => {
    await suite().openWhole(async (page) => {
      await isAccessible(page, 'create');
      const inputs = page.getByText(/^All inputs of \d+ nodes$/);
      await inputs.click();
      await visible(page.getByRole('button', { name: 'Store this workflow' }));
      await isAccessible(page, 'all inputs');
      await inputs.click();
      await suite().pod.hold(8);
      await generate(page, '4201');
      // A picture is seen while it is being made, and gives way to the finished one.
      const preview = page.getByTestId('preview');
      await visible(preview);
      await page.waitForFunction(`document.querySelector('[data-testid="preview"]').naturalWidth > 0`);
      expect(await preview.getAttribute('src')).toMatch(/^data:image\/(png|jpeg);base64,/);
      expect(await pictures(page).count()).toBe(0);
      await isAccessible(page, 'running');
      await suite().pod.release();
      await finished(page);
      expect(await preview.count()).toBe(0);
      await isAccessible(page, 'done');
      await page.getByRole('link', { name: /Timeline and details/ }).click();
      await visible(page.getByTestId('node-bar').filter({ hasText: 'KSampler · node 3' }));
      await visible(pictures(page));
      await page.getByText('Raw answer of the task API').click();
      await isAccessible(page, 'job page');
    });
  });

  test('a failure, and a form with a field that is wrong, after which the next Generate works', async () => {
    await suite().pod.failNext('execution_error');
    await suite().openWhole(async (page) => {
      await generate(page, '4202');
      await visible(page.getByTestId('error'));
      await isAccessible(page, 'failed');
      await page.getByTestId('seed').fill('-1');
      await visible(page.getByText('A whole number from 0'));
      await isAccessible(page, 'wrong field');
      await page.getByTestId('seed').fill('4203');
      await page.getByTestId('generate').click();
      await finished(page);
      expect(await page.getByTestId('error').count()).toBe(0);
    });
  });

  test('the gallery, a picture at full size, the workers and the events', async () => {
    const { api } = suite().pipeline;
    await api.finished(await api.submit(textToImage({ steps: 1 })), WAIT_MS);
    await suite().openWhole(async (page) => {
      await page.getByRole('link', { name: 'Gallery' }).click();
      await visible(page.getByTestId('gallery-picture').first());
      await isAccessible(page, 'gallery');
      await page.getByTestId('gallery-tile').first().click();
      await visible(page.getByTestId('full-picture'));
      await isAccessible(page, 'lightbox');
      await page.keyboard.press('Escape');
      await page.getByRole('link', { name: 'Workers' }).click();
      await visible(page.getByTestId('worker').first());
      await isAccessible(page, 'workers');
      await page.getByRole('link', { name: 'Events' }).click();
      await api.submit(textToImage({ steps: 2 }));
      const event = page.locator('[data-testid="event"][data-type="Task Completed"]').first();
      await visible(event);
      await event.locator('summary').click();
      await isAccessible(page, 'events');
    });
    // A deployed page has no bus to show, and says how to listen to it instead.
    await suite().open(async (page) => {
      await page.getByRole('link', { name: 'Events' }).click();
      await visible(page.getByRole('button', { name: 'Copy commands' }));
      await isAccessible(page, 'events elsewhere');
    });
  });
});
