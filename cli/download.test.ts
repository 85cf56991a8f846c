import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFakeApi, type FakeApi } from './test-support/fake-api.ts';
import { outputOf, type TaskOutput } from './test-support/fake-tasks.ts';
import { run } from './test-support/run.ts';

let api: FakeApi;
let root: string;
let folder: string;
beforeEach(async () => {
  api = await startFakeApi();
  root = await mkdtemp(join(tmpdir(), 'cli-download-'));
  folder = join(root, 'a', 'out');
});
afterEach(async () => {
  await api.close();
  await rm(root, { recursive: true });
  expect(api.violations).toEqual([]);
});

const media = (filename: string, content: string, changes: Partial<TaskOutput> = {}): TaskOutput => {
  const bytes = new TextEncoder().encode(content);
  const name = crypto.randomUUID();
  api.media.set(name, { status: 200, bytes });
  return { ...outputOf(filename, bytes, `${api.url}/media/${name}`), ...changes };
};

const download = async (outputs: readonly TaskOutput[], ...args: string[]) => {
  const result = { src: null, mime_type: null, outputs: [...outputs], missing_outputs: [] };
  const { id } = api.tasks.add({ status: 'completed', result }).task;
  return { id, ...(await run(['download', id, '--out', folder, ...args], { api: api.url })) };
};

describe('downloads', () => {
  test('come under their names, byte by byte, in a folder that is made', async () => {
    const { code, out } = await download([media('a.png', 'one'), media('b.txt', '')]);
    expect([code, out]).toEqual([0, `${join(folder, 'a.png')}\n${join(folder, 'b.txt')}\n`]);
    expect(await readFile(join(folder, 'a.png'), 'utf8')).toBe('one');
    expect(await readFile(join(folder, 'b.txt'), 'utf8')).toBe('');
  });

  test('names that lead elsewhere stay in the folder, and on one line', async () => {
    const hostile = [
      '../../evil.png',
      '..\\up.png',
      '/etc/abs.png',
      'nul.png',
      'x\r\n\u001b[2J\u202ey.png',
      '.bashrc',
    ];
    const { out } = await download(hostile.map((name) => media(name, name)));
    expect((await readdir(root, { recursive: true })).sort()).toEqual(
      [
        'a',
        'a/out',
        ...['_nul.png', 'abs.png', 'bashrc', 'evil.png', 'up.png', 'x___[2J_y.png'].map(
          (name) => `a/out/${name}`,
        ),
      ].sort(),
    );
    expect(out.split('\n')).toHaveLength(hostile.length + 1);
  });

  test('nothing is written over: not files, not links, not what comes twice', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'a.png'), 'mine');
    await writeFile(join(folder, 'a.png.part'), 'mine too');
    await symlink(join(root, 'elsewhere'), join(folder, 'b.png'));
    const { id } = await download([media('a.png', '1'), media('a.png', '2'), media('b.png', '3')]);
    const short = id.slice(0, 8);
    const names = ['a.png', 'a.png.part', `a-${short}.png`, `a-${short}-2.png`, 'b.png', `b-${short}.png`];
    expect((await readdir(folder)).sort()).toEqual(names.sort());
    expect(await readFile(join(folder, 'a.png'), 'utf8')).toBe('mine');
    expect(await readFile(join(folder, 'a.png.part'), 'utf8')).toBe('mine too');
    expect(await readFile(join(folder, `a-${short}-2.png`), 'utf8')).toBe('2');
    expect(await readdir(root)).toEqual(['a']);
  });

  test.each([
    ['too few', 9],
    ['too many', 1],
  ])('%s bytes are a failure that leaves nothing and does not keep the others', async (_, size) => {
    const { code, err, out } = await download([media('a.png', 'four', { size }), media('b.png', 'b')]);
    expect([code, out]).toEqual([1, `${join(folder, 'b.png')}\n`]);
    expect(err).toMatch(size === 9 ? /4 bytes came of 9/ : /more than 1 bytes came/);
    expect(await readdir(folder)).toEqual(['b.png']);
  });

  test('a server that fails for a while is asked again, one that refuses is not', async () => {
    const good = media('a.png', 'a');
    const name = good.src.split('/').at(-1) ?? '';
    const bytes = new TextEncoder().encode('a');
    let status = 503;
    api.media.set(name, {
      get status() {
        const now = status;
        status = 200;
        return now;
      },
      bytes,
    });
    expect((await download([good])).code).toBe(0);
    api.media.set(name, { status: 403 });
    const { code, err } = await download([good]);
    expect([code, err]).toEqual([1, `error: ${good.src} was answered 403\n`]);
  });

  test.each(['file:///etc/passwd', 'data:text/plain,x', 'javascript:1', 'http://'])(
    '%s is no place for outputs',
    async (src) => {
      const { code, err } = await download([media('a.png', 'a', { src })]);
      expect(code).toBe(1);
      expect(err).toContain('no http or https URL');
      expect(await readdir(folder)).toEqual([]);
    },
  );

  test('the key is not sent to where the outputs are', async () => {
    await download([media('a.png', 'a')], '--key', 'secret');
    const withKey = api.requests.filter(({ headers }) => headers.authorization !== undefined);
    expect(withKey.map(({ path }) => path.slice(0, 13))).toEqual(['/api/v1/tasks']);
  });

  test('--json prints one document', async () => {
    const { out, err } = await download([media('a.png', 'a')], '--json');
    expect([JSON.parse(out), err]).toEqual([{ files: [join(folder, 'a.png')] }, '']);
  });

  test('a folder that cannot be made is told', async () => {
    await writeFile(join(root, 'a'), 'a file');
    const { code, err } = await download([media('a.png', 'a')]);
    expect([code, err]).toEqual([1, `error: ${folder} cannot be made (ENOTDIR)\n`]);
  });

  test('a task that runs has nothing to download yet, one without outputs has nothing at all', async () => {
    const { id } = api.tasks.add({ status: 'running' }).task;
    const running = await run(['download', id, '--out', folder], { api: api.url });
    expect([running.code, running.err]).toEqual([
      2,
      `error: this task is running; watch it: comfy-pipeline watch ${id}\n`,
    ]);
    const { code, out, err } = await download([]);
    expect([code, out, err]).toEqual([0, '', 'this task has no outputs\n']);
  });
});
