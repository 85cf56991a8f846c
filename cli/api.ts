/** The public task API over fetch, and nothing else: what a command can do, every user's own program can. */
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { errorBodySchema } from '../shared-types/index.ts';
import { CliError, EXIT, type ExitCode } from './cli-error.ts';

export interface ApiOptions {
  /** Base URL, without `/api/v1`. */
  readonly url: string;
  /** An API key or a token; undefined where none is needed. */
  readonly key: string | undefined;
  readonly fetch?: typeof fetch;
  /** Resolves after that many milliseconds. */
  readonly sleep?: (ms: number) => Promise<unknown>;
}

export interface ApiCall {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/api/v1`, encoded. */
  readonly path: string;
  /** Body as JSON text or compressed bytes. */
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Api {
  /**
   * Reads with 5xx, 429 and broken connections tried again for about 10 s; writes only when they carry an
   * `idempotency-key`. @throws CliError
   */
  json<S extends z.ZodType>(schema: S, call: ApiCall): Promise<z.infer<S>>;
  /** Like `json`, as the text that came: numbers keep their digits. */
  text(call: ApiCall): Promise<string>;
  readonly key: string | undefined;
  readonly url: string;
}

const TIMEOUT_MS = 60_000;
const TRIES = 5;
const FIRST_WAIT_MS = 500;

const exitOf = (status: number): ExitCode => {
  if (status === 401 || status === 403) return EXIT.unauthorized;
  return status >= 500 || status === 429 ? EXIT.unavailable : EXIT.usage;
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

const nodeLines = (body: z.infer<typeof errorBodySchema>): string[] =>
  Object.entries(body.node_errors ?? {}).flatMap(([id, { class_type, errors }]) =>
    errors.map(({ message }) => `node ${id} (${class_type}): ${message}`),
  );

const refusalOf = (status: number, text: string): CliError => {
  const body = errorBodySchema.safeParse(parseJson(text));
  const hint = status === 401 ? '; set COMFY_API_KEY, or pass --key' : '';
  if (body.success) return new CliError(exitOf(status), `${body.data.error}${hint}`, nodeLines(body.data));
  return new CliError(exitOf(status), `the API answered ${status}${hint}`);
};

const unreachable = (url: string): CliError =>
  new CliError(
    EXIT.unavailable,
    `the API at ${url} cannot be reached; is it running (npm start)? Set COMFY_API_URL, or pass --api`,
  );

export const createApi = (options: ApiOptions): Api => {
  const base = options.url.replace(/\/+$/, '');
  const send = options.fetch ?? fetch;
  const sleep = options.sleep ?? ((ms) => delay(ms));

  const once = async (call: ApiCall): Promise<{ readonly status: number; readonly text: string }> => {
    // Not AbortSignal.timeout alone: Node 20 may collect a composed one before it fires.
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
    try {
      const response = await send(`${base}/api/v1${call.path}`, {
        method: call.method ?? 'GET',
        headers: {
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }),
          ...call.headers,
        },
        ...(call.body === undefined ? {} : { body: call.body }),
        redirect: 'error',
        signal: controller.signal,
      });
      return { status: response.status, text: await response.text() };
    } finally {
      clearTimeout(timer);
    }
  };

  const mayRepeat = ({ method = 'GET', headers }: ApiCall): boolean =>
    method !== 'POST' || headers?.['idempotency-key'] !== undefined;

  const text = async (call: ApiCall): Promise<string> => {
    for (let tries = 1; ; tries += 1) {
      const answer = await once(call).catch(() => undefined);
      if (answer !== undefined && answer.status >= 200 && answer.status < 300) return answer.text;
      const passing = answer === undefined || answer.status >= 500 || answer.status === 429;
      if (!passing || !mayRepeat(call) || tries >= TRIES)
        throw answer === undefined ? unreachable(base) : refusalOf(answer.status, answer.text);
      await sleep(FIRST_WAIT_MS * 2 ** (tries - 1));
    }
  };

  return {
    key: options.key,
    url: base,
    text,
    json: async (schema, call) => {
      const read = schema.safeParse(parseJson(await text(call)));
      if (read.success) return read.data;
      const field = read.error.issues[0]?.path.join('.') ?? '';
      throw new CliError(
        EXIT.unavailable,
        `the API at ${base} answered something else than expected (${field}); is it this project's?`,
      );
    },
  };
};
