/** Where the page finds the pipeline: `config.json` beside it, written at deployment. */
import { fieldsOf, textOf } from '../client/guards.ts';

export interface PageConfig {
  readonly apiUrl: string;
  readonly webSocketUrl: string;
}

/** @throws Error with one line for people. */
export const loadPageConfig = async (send: typeof fetch): Promise<PageConfig> => {
  const response = await send('/config.json', { cache: 'no-store' }).catch(() => undefined);
  const body: unknown = response?.ok === true ? await response.json().catch(() => undefined) : undefined;
  const apiUrl = textOf(fieldsOf(body)?.['apiUrl']);
  const webSocketUrl = textOf(fieldsOf(body)?.['webSocketUrl']);
  if (apiUrl !== undefined && webSocketUrl !== undefined) return { apiUrl, webSocketUrl };
  throw new Error('config.json with apiUrl and webSocketUrl is missing beside this page');
};
