/** What the pictures are taken of: the demo itself, with a line to its socket that can be cut. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { buildAssembly } from '../../demo/build.ts';
import { startDemo, type Demo } from '../../demo/start-demo.ts';
import { buildPageInto, launchBrowser } from '../../test/support/browser.ts';
import { startSocketProxy, type SocketProxy } from '../../test/support/browser-proxy.ts';
import { podControl, type PodControl } from '../../test/support/pods.ts';

export interface Studio {
  readonly demo: Demo;
  readonly browser: Browser;
  /** The one worker: what holds it, holds every job. */
  readonly pod: PodControl;
  readonly pageUrl: string;
  readonly proxy: SocketProxy;
  close(): Promise<void>;
}

/** Of one step: as quick as a small model, so that the remaining times that are learnt look like real ones. */
const STEP_DELAY_MS = 150;

const present = <T>(value: T | null | undefined, what: string): T => {
  if (value === null || value === undefined) throw new Error(`the demo has no ${what}`);
  return value;
};

/** Ends in reverse order, also what was begun when something fails. */
export const openStudio = async (): Promise<Studio> => {
  const ends: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).toReversed()) await end().catch(() => {});
  };
  try {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'screenshots-'));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    const [assembly, pageDir] = [path.join(folder, 'cdk.out'), path.join(folder, 'page')];
    await Promise.all([buildAssembly(assembly), buildPageInto(pageDir)]);
    const logDir = path.join(folder, 'logs');
    const demo = await startDemo({ assembly, pageDir, logDir, port: 0, pods: 1, stepDelayMs: STEP_DELAY_MS });
    ends.push(() => demo.stop());
    const proxy = await startSocketProxy(demo.endpoints.webSocketUrl);
    ends.push(() => proxy.close());
    const browser = await launchBrowser();
    ends.push(() => browser.close());
    const pod = podControl(present(demo.pods[0], 'worker').url);
    return { demo, browser, pod, pageUrl: present(demo.endpoints.pageUrl, 'page'), proxy, close };
  } catch (error) {
    await close();
    throw error;
  }
};
