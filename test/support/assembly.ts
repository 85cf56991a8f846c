/** The cloud assembly of stage `local`, built once per test run, whichever test comes first. */
import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildAssembly } from '../../demo/build.ts';
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

export const testAssembly = async (): Promise<string> => {
  const folder = process.env['TEST_ASSEMBLY_DIR'];
  if (folder === undefined) throw new Error('TEST_ASSEMBLY_DIR is set by test/global-setup.ts');
  const assembly = path.join(folder, 'cdk.out');
  const done = path.join(folder, 'done');
  const failed = path.join(folder, 'failed');
  if (await takeLock(path.join(folder, 'lock'))) {
    await buildAssembly(assembly).catch(async (error: unknown) => {
      await writeFile(failed, String(error));
      throw error;
    });
    await writeFile(done, '');
  }
  await waitUntil(async () => (await exists(done)) || (await exists(failed)), {
    what: 'the assembly',
    timeoutMs: 60_000,
  });
  if (await exists(failed)) throw new Error('the assembly could not be built');
  return assembly;
};
