/** Calls to a JSON API with a bearer key, all within one deadline: what the Novita and the RunPod adapter share. */
import type * as z from 'zod';
import type { Clock } from '../../core/ports.ts';
import type { ProviderRefusal } from '../../core/providers/worker-provider.ts';
import { systemClock } from '../system.ts';
import {
  providerRequest,
  quotedWithout,
  readProviderJson,
  refusalOf,
  type ProviderHttpAnswer,
  type ProviderReading,
} from './provider-http.ts';

export interface ApiOptions {
  /** Read before each call, so that a changed key is used at once. */
  readonly apiKey: () => Promise<string>;
  readonly clock?: Clock;
}

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly body?: unknown;
  /** False for an address that is not the API's own, which must not see the key. */
  readonly withKey?: boolean;
}

export interface ApiAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly text: string;
  /** What the answer means when it is not the wanted one; the provider's own words, without secrets. */
  readonly refusal: ProviderRefusal;
}

/** All calls of one method of a provider. */
export interface ApiSession {
  send(call: ApiCall): Promise<ApiAnswer | ProviderRefusal>;
  /** As `send`, and reads a 2xx as JSON of that schema. */
  read<T>(call: ApiCall, schema: z.ZodType<T>): Promise<ProviderReading<T>>;
}

/** Under the 30 s that the port allows. */
const SESSION_MS = 27_000;
const CALL_MS = 12_000;
/** What a header can carry; anything else would be the wrong secret or a page. */
const KEY = /^[\x21-\x7e]{1,1000}$/;

const isOk = ({ status }: { status: number }): boolean => status >= 200 && status < 300;

/** Within the deadline too: a secret store can hang like any other. */
const keyOf = async (
  apiKey: () => Promise<string>,
  clock: Clock,
  waitMs: number,
): Promise<string | ProviderRefusal> => {
  const done = new AbortController();
  const expired = clock.sleep(waitMs, done.signal).then(() => undefined);
  // Ends as an abort when the key comes first.
  expired.catch(() => undefined);
  try {
    const key = await Promise.race([apiKey(), expired]);
    if (key === undefined) return { kind: 'unavailable', message: 'the API key was not there in time' };
    if (KEY.test(key.trim())) return key.trim();
    return { kind: 'unauthorized', message: 'the API key is empty or not a key' };
  } catch {
    return { kind: 'unavailable', message: 'the API key cannot be read' };
  } finally {
    done.abort();
  }
};

const answerOf = (answer: ProviderHttpAnswer, secrets: readonly string[]): ApiAnswer => {
  const { status, text, headers } = answer;
  const quote = quotedWithout(text, secrets);
  const message = `HTTP ${status}${quote === '' ? '' : `: ${quote}`}`;
  return { kind: 'answer', status, text, refusal: refusalOf(status, headers['retry-after'], message) };
};

/** `secrets` are taken out of messages, as the key always is. */
export const openApiSession = (
  { apiKey, clock = systemClock }: ApiOptions,
  secrets: readonly string[] = [],
): ApiSession => {
  const deadline = clock.now() + SESSION_MS;
  const send: ApiSession['send'] = async ({ method, url, body, withKey = true }) => {
    const leftMs = Math.min(CALL_MS, deadline - clock.now());
    if (leftMs <= 0) return { kind: 'unavailable', message: `not done within ${SESSION_MS} ms` };
    const key = withKey ? await keyOf(apiKey, clock, leftMs) : '';
    if (typeof key !== 'string') return key;
    const answer = await providerRequest({
      method,
      url,
      timeoutMs: Math.max(1, Math.min(leftMs, deadline - clock.now())),
      clock,
      headers: withKey ? { authorization: `Bearer ${key}` } : {},
      ...(body === undefined ? {} : { body }),
    });
    if (answer.kind === 'failed') return { kind: 'unavailable', message: answer.message };
    return answerOf(answer, [key, ...secrets]);
  };
  return {
    send,
    read: async (call, schema) => {
      const answer = await send(call);
      if (answer.kind !== 'answer') return answer;
      return isOk(answer) ? readProviderJson(answer, schema) : answer.refusal;
    },
  };
};

/** A string, a list or an object of a provider, as an error body names it; empty when there is none. */
export const jsonField = (text: string, field: string): string => {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read !== 'object' || read === null) return '';
    const value: unknown = (read as Record<string, unknown>)[field];
    return typeof value === 'string' ? value : '';
  } catch {
    return '';
  }
};
