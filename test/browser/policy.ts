/** The built page in a browser, under the policy that a deployed stage binds it to. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { startPageServer, type PageServer } from '../../demo/page-server.ts';
import { documentPolicy, withPolicy } from '../../lib/constructs/page-policy.ts';
import { browserSuite } from '../support/browser-suite.ts';
import { testPage } from '../support/page.ts';
import { waitUntil } from '../support/wait.ts';
import { textToImage } from '../support/workflows.ts';

const suite = browserSuite();
let site: PageServer;
let stranger: Server;
let strangerUrl = '';
let asked = 0;

/** `index.html` as the deployment writes it, with the hosts of this machine. */
const bindPage = async (pageDir: string): Promise<void> => {
  const { apiUrl, webSocketUrl, cdnUrl, awsEndpointUrl } = suite().pipeline.demo.endpoints;
  const policy = documentPolicy({
    api: apiUrl,
    webSocket: new URL(webSocketUrl).origin,
    media: cdnUrl,
    uploads: awsEndpointUrl,
  });
  const file = path.join(pageDir, 'index.html');
  await writeFile(file, withPolicy(await readFile(file, 'utf8'), policy) ?? '');
};

const startStranger = async (): Promise<void> => {
  stranger = createServer((_request, response) => {
    asked += 1;
    response.writeHead(200, { 'access-control-allow-origin': '*' }).end('{}');
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  strangerUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
};

const VIOLATIONS = `
  window.violations = [];
  addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
    window.violations.push(effectiveDirective + ' ' + blockedURI));`;

const withPage = async (use: (page: Page) => Promise<void>): Promise<void> => {
  const context = await suite().browser.newContext();
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.addInitScript(VIOLATIONS);
    await page.goto(site.url);
    await page.getByTestId('generate').waitFor();
    await use(page);
  } finally {
    await context.close();
  }
};
const violationsOn = (page: Page): Promise<string[]> => page.evaluate<string[]>('window.violations');

describe('the policy of a deployed page', () => {
  beforeAll(async () => {
    // Others open the page as it was built, and without this stage's hosts in its policy.
    const pageDir = path.join(suite().folder, 'bound-page');
    await cp(await testPage(), pageDir, { recursive: true });
    await Promise.all([bindPage(pageDir), startStranger()]);
    const { apiUrl, webSocketUrl } = suite().pipeline.demo.endpoints;
    site = await startPageServer({ folder: pageDir, config: { apiUrl, webSocketUrl } }, 0);
  });
  afterAll(async () => {
    await site?.close();
    await new Promise((resolve) => stranger.close(resolve));
  });

  test('it starts, asks the API, follows a task and shows its picture, and breaks nothing of it', async () => {
    const id = await suite().pipeline.api.submit(textToImage({ steps: 2 }));
    const { result } = await suite().pipeline.api.finished(id, 60_000);
    const src = result!.outputs[0]!.src;
    await withPage(async (page) => {
      const { apiUrl, webSocketUrl } = suite().pipeline.demo.endpoints;
      expect(
        await page.evaluate(
          `fetch(${JSON.stringify(`${apiUrl}/api/v1/tasks`)}).then(({ status }) => status)`,
        ),
      ).toBe(200);
      const opened = `new Promise((resolve) => {
        const socket = new WebSocket(${JSON.stringify(webSocketUrl)});
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('error');
      })`;
      expect(await page.evaluate(opened)).toBe('open');
      const width = `new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve(image.naturalWidth);
        image.onerror = () => resolve(0);
        image.src = ${JSON.stringify(src)};
      })`;
      expect(await page.evaluate(width)).toBe(64);
      await page.getByTestId('generate').click();
      await page.getByTestId('picture').first().waitFor();
      expect(await violationsOn(page)).toEqual([]);
    });
  });

  test('what is injected into it neither runs nor reaches a stranger', async () => {
    await withPage(async (page) => {
      const tried = `(() => {
        const script = document.createElement('script');
        script.textContent = 'window.injected = true';
        document.body.append(script);
        const foreign = document.createElement('script');
        foreign.src = ${JSON.stringify(`${strangerUrl}/x.js`)};
        document.body.append(foreign);
        document.body.insertAdjacentHTML('beforeend',
          '<img src="x" onerror="window.injected = true"><style>body { display: none }</style>' +
          '<iframe src=${JSON.stringify(strangerUrl)}></iframe><img src=${JSON.stringify(`${strangerUrl}/p.png`)}>');
        new Image().src = ${JSON.stringify(`${strangerUrl}/leak.png`)};
        return fetch(${JSON.stringify(`${strangerUrl}/leak`)}).then(() => 'sent', () => 'refused');
      })()`;
      expect(await page.evaluate(tried)).toBe('refused');
      const expected = [
        'connect-src',
        'frame-src',
        'img-src',
        'script-src-elem',
        'script-src-attr',
        'style-src-elem',
      ];
      await waitUntil(
        async () => {
          const seen = (await violationsOn(page)).map((text) => text.split(' ')[0]);
          return expected.every((directive) => seen.includes(directive));
        },
        { what: `violations of ${expected.join(', ')}`, timeoutMs: 60_000 },
      );
      expect(await page.evaluate('window.injected')).toBeUndefined();
      expect(await page.evaluate('getComputedStyle(document.body).display')).not.toBe('none');
      expect(asked).toBe(0);
    });
  });
});
