/** Builds the page, as `npm run build` does, for the stages that deploy it. */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');
/** Holds `index.html`, and below `assets` files with a hash in their names. */
export const pageOutdir = join(projectRoot, 'dist', 'web');

/** @throws when a source does not compile */
export const buildPage = async (): Promise<void> => {
  // Not above: the stage `local` is synthesized at each `npm start`, and needs none of it.
  const { build } = await import('vite');
  await build({
    configFile: join(projectRoot, 'web', 'vite.config.ts'),
    mode: 'production',
    logLevel: 'silent',
  });
};
