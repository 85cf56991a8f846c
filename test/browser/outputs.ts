/** What a job may make beside a picture plays in the page; what ran out of memory is tried again smaller while one looks. */
import { describe, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { dropFile } from '../support/browser-drop.ts';
import {
  browserSuite,
  chosen,
  finished,
  generate,
  showsStep,
  visible,
  WAIT_MS,
} from '../support/browser-suite.ts';
import { waitUntil } from '../support/wait.ts';
import { textToImage, type Workflow } from '../support/workflows.ts';

const suite = browserSuite();

/** Drops the workflow as a file, and runs it to its end. */
const made = async (page: Page, name: string, workflow: Workflow): Promise<void> => {
  const file = path.join(suite().folder, `${name}.json`);
  await writeFile(file, JSON.stringify(workflow));
  await dropFile(page, file);
  await chosen(page, `${name} (file)`);
  await page.getByTestId('generate').click();
  await visible(page.getByRole('heading', { name: 'Finished' }));
};

const ending = (class_type: string, inputs: Record<string, unknown>, seed: number): Workflow => ({
  ...textToImage({ steps: 2, seed }),
  '9': { class_type, inputs: { filename_prefix: 'made', images: ['8', 0], ...inputs } },
});

const clip = (seed: number): Workflow => ending('SaveWEBM', { codec: 'vp9', fps: 8, crf: 32 }, seed);
const sound: Workflow = {
  '1': { class_type: 'EmptyAudio', inputs: { duration: 2, sample_rate: 44_100, channels: 2 } },
  '2': { class_type: 'SaveAudio', inputs: { audio: ['1', 0], filename_prefix: 'tone' } },
};

interface Player {
  play(): Promise<void>;
  readonly error: { readonly message: string } | null;
  readonly currentTime: number;
  readonly duration: number;
  readonly videoWidth?: number;
}

/** Plays for real: a file that cannot be decoded, or does not come, rejects or never gets that far. */
const plays = async (player: Locator): Promise<void> => {
  await visible(player);
  await player.evaluate(async (element: Player) => element.play());
  const getsOn = (): Promise<boolean> =>
    player.evaluate((element: Player) => element.error === null && element.currentTime > 0.2);
  await waitUntil(getsOn, { what: 'the player to get on', timeoutMs: WAIT_MS });
};

const servedAs = async (player: Locator): Promise<string | null> => {
  const src = (await player.getAttribute('src')) ?? '';
  const response = await fetch(src);
  expect(response.status).toBe(200);
  return response.headers.get('content-type');
};

describe('what a job makes', () => {
  test('a clip plays where it was made, in the gallery and at full size', async () => {
    await suite().open(async (page) => {
      await made(page, 'clip', clip(5001));
      const player = page.locator('.gc video');
      await plays(player);
      expect(await player.evaluate((element: Player) => element.videoWidth)).toBe(64);
      expect(await servedAs(player)).toBe('video/webm');
      const src = await player.getAttribute('src');
      await page.getByRole('link', { name: 'Gallery' }).click();
      await page.getByTestId('gallery-tile').first().click();
      const full = page.getByTestId('lightbox').locator('video');
      await plays(full);
      expect(await full.getAttribute('src')).toBe(src);
    });
  });

  test('a film plays where the browser has its codec, and where it has not, the page says so', async () => {
    await suite().open(async (page) => {
      const film: Workflow = {
        ...textToImage({ steps: 2, seed: 5002 }),
        '9': { class_type: 'CreateVideo', inputs: { images: ['8', 0], fps: 8 } },
        '10': {
          class_type: 'SaveVideo',
          inputs: { video: ['9', 0], filename_prefix: 'made', format: 'auto', codec: 'auto' },
        },
      };
      await made(page, 'film', film);
      const player = page.locator('.gc video');
      await plays(player);
      expect(await servedAs(player)).toBe('video/mp4');
      const told = page.getByText('This browser cannot play it. Download it instead.');
      expect(await told.count()).toBe(0);

      await page.route('**/*.mp4', (route) => route.fulfill({ body: 'no film', contentType: 'video/mp4' }));
      await page.getByRole('link', { name: /Timeline/ }).click();
      await visible(told);
      const link = page.locator('.gc-file');
      expect(await link.getAttribute('download')).toMatch(/\.mp4$/);
      expect(await link.getAttribute('href')).toBe(await player.getAttribute('src'));
    });
  });

  test('a sound plays, and is as long as it was made', async () => {
    await suite().open(async (page) => {
      await made(page, 'sound', sound);
      const player = page.locator('.gc audio');
      await plays(player);
      expect(await player.evaluate((element: Player) => element.duration)).toBeCloseTo(2, 1);
      expect(await servedAs(player)).toBe('audio/flac');
    });
  });

  test('a moving picture moves', async () => {
    await suite().open(async (page) => {
      await made(page, 'moving', ending('SaveAnimatedPNG', { fps: 6, compress_level: 4 }, 5003));
      const picture = page.getByTestId('picture');
      await visible(picture);
      const src = (await picture.getAttribute('src')) ?? '';
      expect(Buffer.from(await (await fetch(src)).arrayBuffer()).includes('acTL')).toBe(true);
      await page.waitForFunction(`document.querySelector('[data-testid="picture"]').naturalWidth > 0`);
    });
  });
});

const width = (page: Page, expected: number): Promise<unknown> =>
  page.waitForFunction(`document.querySelector('[data-testid="picture"]')?.naturalWidth === ${expected}`);

/** The pipeline's own second attempt, of the same size, is left out: it comes after ten seconds. */
const withoutSecondAttempt = (page: Page): Promise<unknown> =>
  page.route('**/api/v1/tasks', (route) => {
    const body = route.request().postData() ?? '';
    return route.continue({ postData: body.replace('{', '{"max_retries":0,') });
  });

/** The job stands at its first step, and will run out of memory at its second. */
const aboutToRunOut = async (page: Page, seed: string): Promise<string> => {
  await suite().pod.failNext('oom', { afterSteps: 2 });
  await suite().pod.hold(1);
  const job = await generate(page, seed);
  await showsStep(page, 1);
  return job;
};

const note = (page: Page): Locator => page.getByTestId('other-try');
/** Large enough to be made smaller twice. */
const LARGE = { size: 128 };

describe('out of memory', () => {
  test('is tried again smaller by itself, and what is tried is said as it happens', async () => {
    await suite().open(async (page) => {
      await withoutSecondAttempt(page);
      const first = await aboutToRunOut(page, '5201');
      // Each try stands still before it fails: what is said of it may be looked for as long as that takes.
      await suite().pod.failNext('oom', { afterSteps: 4 });
      await suite().pod.hold(3);
      await showsStep(page, 3);
      await visible(
        note(page).getByText('Out of memory at 128 × 128: trying again at 96 × 96 (size 2 of 3)'),
      );
      await suite().pod.hold(6);
      await showsStep(page, 6);
      await visible(note(page).getByText('Out of memory at 96 × 96: trying again at 72 × 72 (size 3 of 3)'));
      const tries = page.getByTestId('retries').getByRole('listitem');
      expect(await tries.count()).toBe(2);
      await suite().pod.release();
      // A picture comes as soon as it is stored, which may be before the end.
      await finished(page);
      await width(page, 72);
      expect(await note(page).count()).toBe(0);
      const rows = page.getByTestId('job-row');
      await visible(page.locator(`[data-job="${first}"][data-status="failed"]`));
      // Called what the first one was called: they are one wish of one person.
      const titles = await rows.locator('.job-title a').allTextContents();
      expect(new Set(titles.slice(0, 3)).size).toBe(1);
    }, LARGE);
  });

  test('is tried again after a refresh, too, whose page never saw what was submitted', async () => {
    await suite().open(async (page) => {
      await withoutSecondAttempt(page);
      await aboutToRunOut(page, '5202');
      await page.reload();
      await showsStep(page, 1);
      await suite().pod.release();
      await width(page, 96);
      await visible(page.getByTestId('retries').getByText('Tried again with 96 × 96'));
    }, LARGE);
  });

  test('of a job that another one took the place of is tried again in the list', async () => {
    await suite().open(async (page) => {
      await withoutSecondAttempt(page);
      const first = await aboutToRunOut(page, '5203');
      const second = await generate(page, '5204');
      await suite().pod.release();
      await visible(page.locator(`[data-job="${first}"][data-status="failed"]`));
      const done = page.locator('[data-testid="job-row"][data-status="completed"]');
      const third = async (): Promise<string | undefined> => {
        const { tasks } = (await (
          await fetch(`${suite().pipeline.demo.endpoints.apiUrl}/api/v1/tasks?limit=1`)
        ).json()) as { tasks: { id: string }[] };
        return tasks.map(({ id }) => id).find((id) => id !== first && id !== second);
      };
      const smaller = await waitUntil(third, { what: 'the smaller job', timeoutMs: WAIT_MS });
      await visible(page.locator(`[data-job="${smaller}"]`).and(done));
      expect((await suite().pod.workflowOf(await promptOf(smaller)))['5']?.inputs['width']).toBe(96);
    }, LARGE);
  });

  test('is left as it is where a person switched that off, after a refresh, too, until it is asked for', async () => {
    await suite().open(async (page) => {
      await withoutSecondAttempt(page);
      await page.getByLabel(/runs out of memory, try again smaller/).uncheck();
      await page.reload();
      expect(await page.getByLabel(/runs out of memory, try again smaller/).isChecked()).toBe(false);
      await aboutToRunOut(page, '5205');
      await suite().pod.release();
      await visible(page.getByRole('heading', { name: 'Failed' }));
      await visible(page.getByTestId('error').getByText(/ran out of memory/));
      expect(await page.getByTestId('retries').count()).toBe(0);
      await page.getByRole('button', { name: 'Generate it smaller' }).click();
      await finished(page);
      await width(page, 96);
    }, LARGE);
  });
});

const promptOf = async (jobId: string): Promise<string> =>
  String((await suite().pipeline.api.get(jobId)).prompt_id);
