/** ComfyUI's REST API as the monitor reads it: bounded in time and size, never redirected, never trusted. */
import {
  historyEntryOf,
  historySchema,
  objectInfoClassSchema,
  objectInfoSchema,
  queueLengthSchema,
  queueSchema,
  readComfyUiJson,
  systemStatsSchema,
} from '../../shared-types/index.ts';
import { MonitorError } from '../monitor-error.ts';
import { withDeadline } from './deadline.ts';
import type { Poll, PollFailure, PollResult } from '../core/monitor-input.ts';

const TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

const codesOf = (error: unknown): unknown[] => {
  if (typeof error !== 'object' || error === null) return [];
  const code: unknown = 'code' in error ? error.code : undefined;
  return [code, ...('cause' in error ? codesOf(error.cause) : [])];
};

const asMonitorError = (error: unknown): MonitorError => {
  if (error instanceof MonitorError) return error;
  return codesOf(error).includes('ECONNREFUSED')
    ? new MonitorError('comfyRefused', 'nothing listens at ComfyUI’s port', { retryable: true, cause: error })
    : new MonitorError('comfyUnreachable', 'ComfyUI did not answer', { retryable: true, cause: error });
};

const invalidAnswer = (message: string): MonitorError =>
  new MonitorError('comfyAnswerInvalid', message, { retryable: true });

/** Reads at most `MAX_BODY_BYTES` after decompression, whatever Content-Length claims. */
const readBody = async (response: Response, signal: AbortSignal): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  const hangUp = (): void => void reader?.cancel().catch(() => undefined);
  signal.addEventListener('abort', hangUp, { once: true });
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    size += part.value.length;
    if (size > MAX_BODY_BYTES) {
      hangUp();
      throw invalidAnswer('the answer is too long');
    }
    chunks.push(part.value);
  }
  signal.throwIfAborted();
  return Buffer.concat(chunks).toString('utf8');
};

const fetchJson = async (url: string, signal: AbortSignal): Promise<unknown> => {
  const headers = { accept: 'application/json' };
  const response = await fetch(url, { signal, redirect: 'error', headers });
  const body = await readBody(response, signal);
  if (response.status !== 200) throw invalidAnswer(`status ${response.status}`);
  const json = readComfyUiJson(body);
  if (json.kind === 'invalid') throw invalidAnswer('the answer is no JSON');
  return json.value;
};

const getJson = (url: string, signal: AbortSignal): Promise<unknown> =>
  withDeadline(signal, TIMEOUT_MS, (limited) => fetchJson(url, limited)).catch((error: unknown) => {
    throw asMonitorError(error);
  });

const PATHS = {
  systemStats: '/system_stats',
  objectInfo: '/object_info',
  queue: '/queue',
  queueLength: '/prompt',
};

const pathOf = (poll: Poll): string =>
  poll.kind === 'history' ? `/history/${encodeURIComponent(poll.promptId)}` : PATHS[poll.kind];

const displayNames = (answer: unknown): ReadonlyMap<string, string> => {
  const classes = objectInfoSchema.parse(answer);
  return new Map(
    Object.entries(classes).flatMap(([classType, info]) => {
      const read = objectInfoClassSchema.safeParse(info);
      return read.success && read.data.display_name
        ? [[classType.slice(0, 256), read.data.display_name.slice(0, 1024)] as const]
        : [];
    }),
  );
};

const readAnswer = (poll: Poll, askedAt: number, answer: unknown): PollResult => {
  switch (poll.kind) {
    case 'systemStats':
      return { kind: 'systemStats', askedAt, stats: systemStatsSchema.parse(answer) };
    case 'objectInfo':
      return { kind: 'objectInfo', askedAt, displayNames: displayNames(answer) };
    case 'queue':
      return { kind: 'queue', askedAt, queue: queueSchema.parse(answer) };
    case 'queueLength':
      return {
        kind: 'queueLength',
        askedAt,
        remaining: queueLengthSchema.parse(answer).exec_info.queue_remaining,
      };
    case 'history': {
      historySchema.parse(answer);
      return {
        kind: 'history',
        askedAt,
        promptId: poll.promptId,
        entry: historyEntryOf(answer, poll.promptId),
      };
    }
    default:
      return poll satisfies never;
  }
};

export type PollOutcome =
  | { readonly kind: 'answered'; readonly result: PollResult }
  | { readonly kind: 'failed'; readonly failure: PollFailure };

const failureOf = (error: unknown): PollFailure => {
  if (!(error instanceof MonitorError)) return 'invalid';
  if (error.code === 'comfyRefused') return 'refused';
  return error.code === 'comfyUnreachable' ? 'unreachable' : 'invalid';
};

export interface ComfyRest {
  /** Never rejects. `askedAt` is ms since the epoch. */
  ask(poll: Poll, askedAt: number, signal: AbortSignal): Promise<PollOutcome>;
}

/** `baseUrl` without a trailing slash. */
export const createComfyRest = (baseUrl: string): ComfyRest => ({
  ask: async (poll, askedAt, signal) => {
    try {
      const answer = await getJson(`${baseUrl}${pathOf(poll)}`, signal);
      return { kind: 'answered', result: readAnswer(poll, askedAt, answer) };
    } catch (error) {
      return { kind: 'failed', failure: failureOf(error) };
    }
  },
});
