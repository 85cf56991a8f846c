import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from './settings.ts';

let folder: string;
const home = process.cwd();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-settings-'));
  await mkdir(join(folder, '.local'));
});
afterEach(async () => {
  process.chdir(home);
  await rm(folder, { recursive: true });
});
const STRANGER = 'http://stranger.example:1';
const endpoints = (text: string) => writeFile(join(folder, '.local', 'endpoints.json'), text);

describe('where the API is', () => {
  test('an option goes before the environment, and that before what npm start wrote', async () => {
    await endpoints('{"apiUrl":"http://127.0.0.1:7000"}');
    const local = { LOCAL_DIR: join(folder, '.local') };
    const env = { ...local, COMFY_API_URL: 'http://b.example' };
    expect(readSettings({ api: 'http://a.example' }, env).url).toBe('http://a.example');
    expect(readSettings({}, env).url).toBe('http://b.example');
    expect(readSettings({}, { ...local, COMFY_API_URL: '' }).url).toBe('http://127.0.0.1:7000');
  });

  test.each(['', 'no json', '{}', '{"apiUrl":7}', '[]'])(
    '%j is no endpoints.json: the default holds',
    async (text) => {
      await endpoints(text);
      expect(readSettings({}, { LOCAL_DIR: join(folder, '.local') }).url).toBe('http://127.0.0.1:8080');
    },
  );

  test('it is not taken from the folder where one happens to be: the key would go there', async () => {
    await endpoints(JSON.stringify({ apiUrl: STRANGER }));
    process.chdir(folder);
    expect(readSettings({ key: 'secret' }, {}).url).not.toBe(STRANGER);
  });
});
