/** The form: what it and the task API refuse, and that it fits on a phone. */
import { describe, expect, test } from '@jest/globals';
import type { Locator, Page } from 'playwright-core';
import {
  browserSuite,
  editSubmission,
  finished,
  overflow,
  pictures,
  showsStep,
  visible,
} from '../support/browser-suite.ts';

const suite = browserSuite();

describe('what is refused', () => {
  const error = (page: Page): Locator => page.getByTestId('error');
  const toldAs = async (page: Page, text: RegExp): Promise<void> => {
    await visible(error(page).filter({ hasText: text }));
    expect(await page.getByTestId('generate').isEnabled()).toBe(true);
  };
  const press = async (page: Page, seed: string): Promise<void> => {
    await page.getByTestId('seed').fill(seed);
    await page.getByTestId('generate').click();
  };

  test('by the form, or for an input of a node, is told at the field and with what to do', async () => {
    await suite().open(
      async (page) => {
        for (const seed of ['', '-1', '1.5', '1e3', 'abc', '18446744073709551616']) {
          await page.getByTestId('seed').fill(seed);
          await visible(page.getByText('A whole number from 0 to 18446744073709551615'));
          expect(await page.getByTestId('generate').isDisabled()).toBe(true);
        }
        await page.getByTestId('seed').press('Enter');
        expect(await page.getByTestId('message').count()).toBe(0);
        await page.getByTestId('seed').fill('18446744073709551615');
        expect(await page.getByTestId('generate').isEnabled()).toBe(true);
        await page.getByTestId('checkpoint').fill('missing.safetensors');
        await press(page, '1005');
        await toldAs(page, /ckpt_name.*missing\.safetensors.*Choose one/);
        expect(await page.getByTestId('checkpoint').getAttribute('aria-invalid')).toBe('true');
        await page.getByTestId('checkpoint').fill('flux1-dev-fp8.safetensors');
        await page.getByTestId('generate').click();
        await finished(page);
        expect(await error(page).count()).toBe(0);
      },
      { expectedErrors: [/status of 400/] },
    );
  });

  test('by the task API, or by nobody where it is out of reach, is told as text', async () => {
    await suite().open(
      async (page) => {
        await editSubmission(page, () => '{"workflow_id":"x","payload":{"nodes":[],"links":[]}}');
        await press(page, '1006');
        await toldAs(page, /UI-format/);
        await page.unroute('**/api/v1/tasks');
        await page.route('**/api/v1/tasks', (route) => route.abort('connectionrefused'));
        await press(page, '1007');
        await toldAs(page, /task API/);
        expect(await error(page).textContent()).not.toMatch(/UI-format/);
      },
      // Chromium itself writes each such answer to the console.
      { expectedErrors: [/status of 400/, /ERR_CONNECTION_REFUSED/] },
    );
  });
});

test('a phone 360 or 390 wide needs no sideways scrolling at any moment', async () => {
  const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
  await suite().open(async (page) => {
    const fits = async (): Promise<void> => {
      for (const width of [360, 390]) {
        await page.setViewportSize({ width, height: 844 });
        expect([width, await overflow(page)]).toEqual([width, 0]);
      }
    };
    await page.getByTestId('seed').fill('18446744073709551616');
    await fits();
    await page.getByTestId('seed').fill('390');
    await suite().pod.hold(10);
    await page.getByTestId('generate').tap();
    await showsStep(page, 10);
    await visible(page.getByTestId('current-node'));
    await fits();
    await suite().pod.release();
    await finished(page);
    await fits();
    for (const width of [360, 390]) {
      await page.setViewportSize({ width, height: 844 });
      expect((await pictures(page).boundingBox())!.width).toBeLessThanOrEqual(width);
    }
  }, phone);
});
