/**
 * Takes a picture of every state of the page, of the real demo and in a real browser, and writes the page that shows
 * them all. Needs no other program.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import type { Page } from 'playwright-core';
import { waitUntil } from '../test/support/wait.ts';
import { openPage, photograph, WAIT_MS, type Kept } from './screenshots/camera.ts';
import type { Scene } from './screenshots/scene.ts';
import { scenes } from './screenshots/scenes.ts';
import { openStudio, type Studio } from './screenshots/studio.ts';

interface Settings {
  readonly out: string;
  readonly only?: readonly string[];
}

const readCommandLine = (): Settings =>
  new Command('npx tsx scripts/screenshots.ts')
    .description('Takes a picture of every state of the page, and writes the README beside them.')
    .option('--out <dir>', 'folder of the pictures', 'docs/screenshots')
    .option('--only <names...>', `some of: ${scenes.map(({ name }) => name).join(', ')}`)
    .parse()
    .opts<Settings>();

const chosen = (only: readonly string[] | undefined): readonly Scene[] => {
  const unknown = (only ?? []).filter((name) => !scenes.some((scene) => scene.name === name));
  if (unknown.length > 0) throw new Error(`there is no scene ${unknown.join(', ')}; see --help`);
  return only === undefined ? scenes : scenes.filter(({ name }) => only.includes(name));
};

const ENDED: readonly string[] = ['completed', 'failed', 'cancelled'];

/** Everything that a scene began has come to its end: a hold of the next one must not catch it. */
const atRest = async ({ proxy, pod, demo }: Studio): Promise<void> => {
  proxy.restore();
  await pod.release();
  const isOver = async (): Promise<boolean> => {
    const response = await fetch(`${demo.endpoints.apiUrl}/api/v1/tasks?limit=100`);
    const { tasks } = (await response.json()) as { tasks: readonly { readonly status: string }[] };
    return tasks.every(({ status }) => ENDED.includes(status));
  };
  await waitUntil(isOver, { what: 'the end of all jobs', timeoutMs: WAIT_MS, pollMs: 100 });
};

/** The page's socket leads through the proxy. */
const throughProxy = (page: Page, { proxy }: Studio): Promise<unknown> =>
  page.route('**/config.json', async (route) => {
    const answer = await route.fetch();
    const config = (await answer.json()) as Record<string, unknown>;
    await route.fulfill({ response: answer, json: { ...config, webSocketUrl: proxy.url } });
  });

/** Answers what the browser keeps afterwards. */
const take = async (scene: Scene, studio: Studio, out: string, kept: Kept | undefined): Promise<Kept> => {
  const page = await openPage(studio.browser, scene.lens, kept);
  try {
    await throughProxy(page, studio);
    await page.goto(`${studio.pageUrl}${scene.at ?? ''}`);
    await scene.play(page, studio);
    await photograph(page, path.join(out, `${scene.name}.webp`));
    return await page.context().storageState();
  } catch (error) {
    // As it was, for whoever wonders what was waited for; where even that fails, the first error is the one to tell.
    await photograph(page, path.join(os.tmpdir(), `screenshot-${scene.name}-failed.webp`)).catch(() => {});
    throw new Error(`${scene.name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    await page.context().close();
    await atRest(studio);
  }
};

const text = (): string =>
  [
    '# Every state of the page',
    '',
    '`npx tsx scripts/screenshots.ts` takes them all of the running demo, and writes this page; `--only done` takes one.',
    '',
    ...scenes.flatMap(({ name, caption, lens }) => [
      `## ${name.replaceAll('-', ' ')}`,
      '',
      caption,
      '',
      lens.phone === true
        ? `<img src="${name}.webp" width="390" alt="${caption}">`
        : `![${caption}](${name}.webp)`,
      '',
    ]),
  ].join('\n');

const main = async (): Promise<void> => {
  const { out, only } = readCommandLine();
  const wanted = chosen(only);
  await mkdir(out, { recursive: true });
  const studio = await openStudio();
  try {
    let kept: Kept | undefined;
    for (const scene of wanted) kept = await take(scene, studio, out, kept);
  } finally {
    await studio.close();
  }
  if (only === undefined) await writeFile(path.join(out, 'README.md'), text());
};

main().catch((error: unknown) => {
  console.error(`screenshots: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
