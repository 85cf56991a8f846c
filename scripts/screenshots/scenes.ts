/** Every state of the page, in an order in which one leaves behind what the next one shows. */
import { ended, started } from './job-scenes.ts';
import type { Scene } from './scene.ts';
import { elsewhere, refused, views } from './view-scenes.ts';

export const scenes: readonly Scene[] = [...started, ...ended, ...views, ...refused, ...elsewhere];
