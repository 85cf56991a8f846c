/** Where the API is and who calls: options, then environment, then what `npm start` wrote, then its default. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { CliError, EXIT } from './cli-error.ts';

export interface Settings {
  readonly url: string;
  readonly key: string | undefined;
}

const DEFAULT_URL = 'http://127.0.0.1:8080';
const ENDPOINTS = '.local/endpoints.json';

const endpointsSchema = z.looseObject({ apiUrl: z.url() });

const localUrl = (): string | undefined => {
  try {
    const read = endpointsSchema.safeParse(JSON.parse(readFileSync(ENDPOINTS, 'utf8')));
    return read.success ? read.data.apiUrl : undefined;
  } catch {
    return undefined;
  }
};

/** @throws CliError when the URL is none */
export const readSettings = (
  options: { readonly api?: string | undefined; readonly key?: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Settings => {
  const url = options.api ?? (env['COMFY_API_URL'] || undefined) ?? localUrl() ?? DEFAULT_URL;
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new CliError(EXIT.usage, `${url} is no http or https URL; set COMFY_API_URL, or pass --api`);
  return { url: url.replace(/\/+$/, ''), key: options.key ?? (env['COMFY_API_KEY'] || undefined) };
};
