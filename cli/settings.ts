/** Where the API is and who calls: options, then environment, then what `npm start` wrote, then its default. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { CliError, EXIT } from './cli-error.ts';

export interface Settings {
  /** Without `/api/v1` and slashes at its end. */
  readonly url: string;
  readonly key: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

const DEFAULT_URL = 'http://127.0.0.1:8080';

const endpointsSchema = z.looseObject({ apiUrl: z.string() });

/**
 * Of this project, wherever it is called from. Never of the working folder: a stranger's could name an address to
 * which the key would be sent.
 */
const endpointsFile = (env: Env): string =>
  join(env['LOCAL_DIR'] || join(fileURLToPath(new URL('..', import.meta.url)), '.local'), 'endpoints.json');

const localUrl = (env: Env): string | undefined => {
  try {
    const read = endpointsSchema.safeParse(JSON.parse(readFileSync(endpointsFile(env), 'utf8')));
    return read.success ? read.data.apiUrl : undefined;
  } catch {
    return undefined;
  }
};

const checkedUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new CliError(EXIT.usage, `${text} is no http or https URL; set COMFY_API_URL, or pass --api`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new CliError(
      EXIT.usage,
      'the URL of the API must have no user, query or fragment; a key goes into --key',
    );
  return url.href.replace(/\/+$/, '').replace(/\/api\/v1$/, '');
};

const checkedKey = (key: string): string => {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new CliError(EXIT.usage, 'the API key has a space or another character that no key has');
};

/** @throws CliError when the URL or the key is none */
export const readSettings = (
  options: { readonly api?: string | undefined; readonly key?: string | undefined },
  env: Env,
): Settings => {
  const url = checkedUrl(options.api ?? (env['COMFY_API_URL'] || undefined) ?? localUrl(env) ?? DEFAULT_URL);
  const key = options.key ?? (env['COMFY_API_KEY'] || undefined);
  return { url, key: key === undefined ? undefined : checkedKey(key.trim()) };
};
