/** What a person does on the page, and what is waited for before the picture is taken. */
import type { Locator, Page } from 'playwright-core';
import { WAIT_MS } from './camera.ts';

export const visible = (locator: Locator): Promise<void> =>
  locator.first().waitFor({ state: 'visible', timeout: WAIT_MS });

export const heading = (page: Page, name: string): Promise<void> =>
  visible(page.getByRole('heading', { name, exact: true }));

export const atStep = (page: Page, step: number, steps = 20): Promise<void> =>
  visible(page.getByTestId('message').filter({ hasText: `${step}/${steps} steps` }));

export const toTop = (page: Page): Promise<unknown> => page.evaluate('window.scrollTo(0, 0)');

/** Fills the form and presses its button. */
export const generate = async (
  page: Page,
  { prompt, seed }: { readonly prompt?: string; readonly seed?: number } = {},
): Promise<void> => {
  if (prompt !== undefined) await page.getByTestId('prompt').fill(prompt);
  if (seed !== undefined) await page.getByTestId('seed').fill(String(seed));
  await page.getByTestId('generate').click();
};

export const openWorkflow = (page: Page, name: string, content: unknown): Promise<void> =>
  page.getByTestId('workflow-file').setInputFiles({
    name,
    mimeType: 'application/json',
    buffer: Buffer.from(JSON.stringify(content)),
  });

/** Each picture of the page that is in the window has been drawn, and each player knows what it plays. */
export const allLoaded = async (page: Page): Promise<void> => {
  await page.waitForFunction(
    `[...document.images].every((image) => image.complete && image.naturalWidth > 0) &&
     [...document.querySelectorAll('video, audio')].every((player) => player.readyState >= 4 || player.error)`,
  );
};

/** Before it has played, a player turns its wheel over the picture. */
export const playABit = async (page: Page): Promise<void> => {
  const player = `document.querySelector('.gc video')`;
  await page.evaluate(`${player}.play()`);
  await page.waitForFunction(`${player}.currentTime > 0.2`);
  await page.evaluate(`${player}.pause()`);
};

export const finished = async (page: Page): Promise<void> => {
  await heading(page, 'Finished');
  await visible(page.locator('.gc-output'));
  await allLoaded(page);
};
