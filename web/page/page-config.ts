/** Where the page finds the pipeline: `config.json` beside it, written at deployment. */
import { fieldsOf, textOf } from '../client/guards.ts';

export interface PageConfig {
  readonly apiUrl: string;
  readonly webSocketUrl: string;
  /** Server-sent events of the bus, where there are any: `npm start` has them, a deployed stage has not. */
  readonly eventsUrl?: string;
}

/** @throws Error with one line for people. */
export const loadPageConfig = async (send: typeof fetch): Promise<PageConfig> => {
  const response = await send('./config.json', { cache: 'no-store' }).catch(() => undefined);
  const body: unknown = response?.ok === true ? await response.json().catch(() => undefined) : undefined;
  const fields = fieldsOf(body);
  const [apiUrl, webSocketUrl] = [textOf(fields?.['apiUrl']), textOf(fields?.['webSocketUrl'])];
  const eventsUrl = textOf(fields?.['eventsUrl']);
  if (apiUrl !== undefined && webSocketUrl !== undefined) {
    return { apiUrl, webSocketUrl, ...(eventsUrl !== undefined && { eventsUrl }) };
  }
  throw new Error('config.json with apiUrl and webSocketUrl is missing beside this page');
};
