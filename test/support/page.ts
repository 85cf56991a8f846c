import { buildPageInto } from './browser.ts';
import { builtOnce } from './built-once.ts';

/** The page as it is deployed, built once per test run, whichever test comes first. */
export const testPage = (): Promise<string> => builtOnce('page', buildPageInto);
