import { buildAssembly, buildWorkers } from '../../demo/build.ts';
import { builtPrograms, type WorkerPrograms } from '../../demo/workers.ts';
import { builtOnce } from './built-once.ts';

/** The cloud assembly of stage `local`, built once per test run, whichever test comes first. */
export const testAssembly = (): Promise<string> => builtOnce('cdk.out', buildAssembly);

/** The programs of the workers, bundled once per test run. */
export const testPrograms = async (): Promise<WorkerPrograms> =>
  builtPrograms(await builtOnce('workers', buildWorkers));
