import type { Page } from 'playwright-core';
import type { Lens } from './camera.ts';
import type { Studio } from './studio.ts';

export interface Scene {
  /** Of the file, without its ending. */
  readonly name: string;
  /** One line below the picture. */
  readonly caption: string;
  readonly lens: Lens;
  /** Of the view; the first one without. */
  readonly at?: string;
  /** The picture is taken once this is through. */
  readonly play: (page: Page, studio: Studio) => Promise<void>;
}
