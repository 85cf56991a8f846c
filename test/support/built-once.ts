/** What test files share: built once per test run, whichever comes first. */
import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { waitUntil } from './wait.ts';

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** True for one caller only: making a folder is atomic. */
const takeLock = (folder: string): Promise<boolean> =>
  mkdir(folder).then(
    () => true,
    () => false,
  );

/** What `build` makes in the folder that it is given, made once for all test files of this run. */
export const builtOnce = async (
  name: string,
  build: (folder: string) => Promise<unknown>,
): Promise<string> => {
  const root = process.env['TEST_ASSEMBLY_DIR'];
  if (root === undefined) throw new Error('TEST_ASSEMBLY_DIR is set by test/global-setup.ts');
  const [built, done, failed] = ['', '.done', '.failed'].map((end) => path.join(root, `${name}${end}`)) as [
    string,
    string,
    string,
  ];
  if (await takeLock(path.join(root, `${name}.lock`))) {
    await build(built).catch(async (error: unknown) => {
      await writeFile(failed, String(error));
      throw error;
    });
    await writeFile(done, '');
  }
  await waitUntil(async () => (await exists(done)) || (await exists(failed)), {
    what: `the build of ${name}`,
    timeoutMs: 60_000,
  });
  if (await exists(failed)) throw new Error(`${name} could not be built`);
  return built;
};
