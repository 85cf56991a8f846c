/** The public task API over fetch, and nothing else: what a command can do, every user's own program can. */
import * as z from 'zod';
import { errorBodySchema } from '../shared-types/index.ts';
import { CliError, EXIT, type ExitCode } from './cli-error.ts';
import { errorCode } from './error-code.ts';

/** Resolves after that many milliseconds; rejects with the signal's reason. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<unknown>;

export interface ApiOptions {
  /** Base URL, without `/api/v1`. */
  readonly url: string;
  /** An API key or a token; undefined where none is needed. */
  readonly key: string | undefined;
  readonly sleep: Sleep;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

export interface ApiCall {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/api/v1`, encoded. */
  readonly path: string;
  /** Body as JSON text or compressed bytes. */
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** A POST that does no harm when it is sent twice. */
  readonly repeatable?: boolean;
  /** In all, 5 where a repetition does no harm. */
  readonly tries?: number;
}

export interface Api {
  /**
   * Tries again for about 10 s after 5xx, 429 and broken connections, a POST only when it is `repeatable` or
   * carries an `idempotency-key`. @throws CliError
   */
  json<S extends z.ZodType>(schema: S, call: ApiCall): Promise<z.infer<S>>;
  /** Like `json`, as the text that came: numbers keep their digits. */
  text(call: ApiCall): Promise<string>;
  readonly key: string | undefined;
  readonly url: string;
}

type Exchange =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly text: string;
      readonly retryAfter: string | null;
    }
  | { readonly kind: 'none'; readonly reason: string; readonly timedOut: boolean };

const TIMEOUT_MS = 60_000;
const TRIES = 5;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;

const exitOf = (status: number): ExitCode => {
  if (status === 401 || status === 403) return EXIT.unauthorized;
  return status >= 500 || status === 429 || status === 408 ? EXIT.unavailable : EXIT.usage;
};

export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

/** One line a node. */
const nodeLines = ({ node_errors = {} }: z.infer<typeof errorBodySchema>): string[] =>
  Object.entries(node_errors).map(
    ([id, { class_type, errors }]) =>
      `node ${id} (${class_type}): ${errors.map(({ message }) => message).join('; ')}`,
  );

/** What API Gateway itself answers. */
const gatewayErrorSchema = z.looseObject({ message: z.string() });

const refusalOf = (status: number, text: string): CliError => {
  const said = parseJson(text);
  const hint = status === 401 ? '; set COMFY_API_KEY, or pass --key' : '';
  const body = errorBodySchema.safeParse(said);
  if (body.success)
    return new CliError(exitOf(status), `${body.data.error}${hint}`, { details: nodeLines(body.data) });
  const gateway = gatewayErrorSchema.safeParse(said);
  const message = gateway.success ? `: ${gateway.data.message}` : '';
  return new CliError(exitOf(status), `the API answered ${status}${message}${hint}`);
};

/** Such as ECONNREFUSED: the code of what made fetch fail. */
const reasonOf = (error: unknown): string => {
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : undefined;
  return errorCode(cause) || 'no connection';
};

/** `Retry-After` in whole seconds, capped; else twice as long each time. */
const waitMs = (exchange: Exchange, tries: number): number => {
  const asked = exchange.kind === 'answer' ? /^\d{1,6}$/.exec(exchange.retryAfter ?? '')?.[0] : undefined;
  if (asked !== undefined) return Math.min(MAX_WAIT_MS, Number(asked) * 1000);
  return FIRST_WAIT_MS * 2 ** (tries - 1);
};

const mayRepeat = ({ method = 'GET', headers, repeatable = false }: ApiCall): boolean =>
  repeatable || method !== 'POST' || headers?.['idempotency-key'] !== undefined;

/** Something else may come of the same call later; an answer that never came took long enough. */
const isPassing = (exchange: Exchange): boolean =>
  exchange.kind === 'answer' ? exitOf(exchange.status) === EXIT.unavailable : !exchange.timedOut;

const createExchange =
  (base: string, { key, signal }: ApiOptions) =>
  async (call: ApiCall): Promise<Exchange> => {
    signal.throwIfAborted();
    // Not AbortSignal.any over AbortSignal.timeout: Node 20 may collect the timeout before it fires.
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    const timer = setTimeout(abort, TIMEOUT_MS);
    signal.addEventListener('abort', abort, { once: true });
    try {
      const response = await fetch(`${base}/api/v1${call.path}`, {
        method: call.method ?? 'GET',
        headers: {
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...call.headers,
        },
        ...(call.body === undefined ? {} : { body: call.body }),
        redirect: 'error',
        signal: controller.signal,
      });
      const retryAfter = response.headers.get('retry-after');
      return { kind: 'answer', status: response.status, text: await response.text(), retryAfter };
    } catch (error) {
      signal.throwIfAborted();
      const timedOut = controller.signal.aborted;
      const reason = timedOut ? `no answer for ${TIMEOUT_MS / 1000} s` : reasonOf(error);
      return { kind: 'none', reason, timedOut };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  };

export const createApi = (options: ApiOptions): Api => {
  const base = options.url.replace(/\/+$/, '');
  const exchange = createExchange(base, options);

  const failureOf = (failed: Exchange): CliError =>
    failed.kind === 'answer'
      ? refusalOf(failed.status, failed.text)
      : new CliError(
          EXIT.unavailable,
          `the API at ${base} cannot be reached (${failed.reason}); is it running (npm start)? Set COMFY_API_URL, or pass --api`,
        );

  const text = async (call: ApiCall): Promise<string> => {
    const allowed = mayRepeat(call) ? (call.tries ?? TRIES) : 1;
    for (let tries = 1; ; tries += 1) {
      const got = await exchange(call);
      if (got.kind === 'answer' && got.status >= 200 && got.status < 300) return got.text;
      // Gone already: the answer to the first try was lost.
      if (tries > 1 && call.method === 'DELETE' && got.kind === 'answer' && got.status === 404) return '';
      if (tries >= allowed || !isPassing(got)) throw failureOf(got);
      await options.sleep(waitMs(got, tries), options.signal);
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
        `the API at ${base} answered something else than expected${field === '' ? '' : ` (${field})`}; is it this project's?`,
      );
    },
  };
};
