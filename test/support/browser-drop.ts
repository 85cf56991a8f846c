/** A file from the disk, dragged over a page and dropped there by the browser itself. */
import type { Page } from 'playwright-core';
import { waitUntil } from './wait.ts';

/** So far from the left and from the top of the window, as a part of it. */
type Place = readonly [x: number, y: number];
const MIDDLE: Place = [0.5, 0.5];
const ASIDE: Place = [0.25, 0.25];

/** https://chromedevtools.github.io/devtools-protocol/tot/Input/#method-dispatchDragEvent */
const dragEvents = async (
  page: Page,
  file: string,
  types: readonly string[],
  [x, y]: Place,
): Promise<void> => {
  const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
  const session = await page.context().newCDPSession(page);
  try {
    for (const type of types) {
      await session.send('Input.dispatchDragEvent', {
        type: type as 'dragEnter',
        x: width * x,
        y: height * y,
        data: { items: [], files: [file], dragOperationsMask: 1 },
      });
    }
  } finally {
    await session.detach();
  }
};

/** Holds the file over the page until the page says that it may be dropped there. */
export const hoverFile = async (page: Page, file: string): Promise<void> => {
  const awaited = async (): Promise<boolean> => {
    // A page that has only just appeared may not listen yet, and an unheard drop makes the browser leave it.
    await dragEvents(page, file, ['dragEnter', 'dragOver'], MIDDLE);
    return (await page.locator('.drop-hint').count()) > 0;
  };
  await waitUntil(awaited, { what: 'the page to await the file', timeoutMs: 90_000, pollMs: 50 });
};

/** Dropped over another element than it was held over, as happens where a list arrives under the pointer. */
export const dropFile = async (page: Page, file: string): Promise<void> => {
  await hoverFile(page, file);
  await dragEvents(page, file, ['drop'], ASIDE);
};
