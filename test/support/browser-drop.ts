/** A file from the disk, dragged over a page and dropped there by the browser itself. */
import type { Page } from 'playwright-core';

/** At the middle of the window. https://chromedevtools.github.io/devtools-protocol/tot/Input/#method-dispatchDragEvent */
const dragEvents = async (page: Page, file: string, types: readonly string[]): Promise<void> => {
  const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
  const session = await page.context().newCDPSession(page);
  try {
    for (const type of types) {
      await session.send('Input.dispatchDragEvent', {
        type: type as 'dragEnter',
        x: width / 2,
        y: height / 2,
        data: { items: [], files: [file], dragOperationsMask: 1 },
      });
    }
  } finally {
    await session.detach();
  }
};

/** Holds the file over the page. */
export const hoverFile = (page: Page, file: string): Promise<void> =>
  dragEvents(page, file, ['dragEnter', 'dragOver']);

export const dropFile = (page: Page, file: string): Promise<void> =>
  dragEvents(page, file, ['dragEnter', 'dragOver', 'drop']);
