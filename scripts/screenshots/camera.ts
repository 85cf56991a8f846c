/** Photographs the window. Lossy WebP, which browsers and GitHub show: a third of the bytes of a PNG. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';

/** For anything a page is waited for. */
export const WAIT_MS = 90_000;
const SETTLE_MS = 4000;
const QUALITY = 0.88;

export interface Lens {
  readonly width: number;
  readonly height: number;
  readonly theme: 'dark' | 'light';
  readonly phone?: boolean;
}

export const DESKTOP: Lens = { width: 1280, height: 900, theme: 'dark' };
export const LIGHT: Lens = { ...DESKTOP, theme: 'light' };
export const PHONE: Lens = { width: 390, height: 844, theme: 'dark', phone: true };

/** What a browser keeps of a page. */
export type Kept = Awaited<ReturnType<BrowserContext['storageState']>>;

/** A tab of its own, in the browser of one person: it knows what the jobs of the pictures before were for. */
export const openPage = async (browser: Browser, lens: Lens, kept: Kept | undefined): Promise<Page> => {
  const { width, height, theme, phone = false } = lens;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    // What moves would be caught at any moment of its movement.
    reducedMotion: 'reduce',
    isMobile: phone,
    hasTouch: phone,
    deviceScaleFactor: phone ? 2 : 1,
    ...(kept && { storageState: kept }),
  });
  context.setDefaultTimeout(WAIT_MS);
  return context.newPage();
};

/** Chromium itself is the encoder: nothing else is needed on the machine. */
const asWebp = async (browser: Browser, png: Buffer): Promise<Buffer> => {
  const page = await browser.newPage();
  try {
    const encoded = await page.evaluate<string>(`(async () => {
      const picture = new Image();
      picture.src = 'data:image/png;base64,${png.toString('base64')}';
      await picture.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
      canvas.getContext('2d').drawImage(picture, 0, 0);
      return canvas.toDataURL('image/webp', ${QUALITY});
    })()`);
    return Buffer.from(encoded.replace('data:image/webp;base64,', ''), 'base64');
  } finally {
    await page.close();
  }
};

/** What the window shows, without the empty space below the page. */
export const photograph = async (page: Page, file: string): Promise<number> => {
  const browser = page.context().browser();
  if (browser === null) throw new Error('the page has no browser');
  await page.mouse.move(0, 0);
  // Small pictures of the list come late. A view that listens all the time is never idle, and needs none.
  await page.waitForLoadState('networkidle', { timeout: SETTLE_MS }).catch(() => {});
  const { width, height } = page.viewportSize() ?? DESKTOP;
  const bottom = await page.evaluate<number>(
    `document.querySelector('dialog[open]') ? Infinity : document.querySelector('main').getBoundingClientRect().bottom`,
  );
  const clip = { x: 0, y: 0, width, height: Math.min(height, Math.ceil(bottom)) };
  const png = await page.screenshot({ animations: 'disabled', caret: 'hide', clip });
  const webp = await asWebp(browser, png);
  await writeFile(file, webp);
  console.log(`${path.relative(process.cwd(), file)}  ${Math.ceil(webp.length / 1000)} KB`);
  return webp.length;
};
