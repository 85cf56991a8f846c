import { buildAssembly } from '../../demo/build.ts';
import { builtOnce } from './built-once.ts';

/** The cloud assembly of stage `local`, built once per test run, whichever test comes first. */
export const testAssembly = (): Promise<string> => builtOnce('cdk.out', buildAssembly);
