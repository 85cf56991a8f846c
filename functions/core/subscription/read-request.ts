/** What a browser sends over its socket. */
import {
  MAX_CLIENT_MESSAGE_BYTES,
  pingRequestSchema,
  subscribeRequestSchema,
  unsubscribeRequestSchema,
  type PushOf,
} from '../../../shared-types/index.ts';

export type ClientRequest =
  | { readonly kind: 'subscribe'; readonly jobId: string; readonly previews: boolean }
  | { readonly kind: 'unsubscribe'; readonly jobId: string }
  | { readonly kind: 'ping' }
  | { readonly kind: 'refused'; readonly error: PushOf<'error'> };

type ErrorCode = PushOf<'error'>['code'];

export const refusal = (code: ErrorCode, message: string, jobId?: string): PushOf<'error'> => ({
  type: 'error',
  code,
  message,
  ...(jobId === undefined ? {} : { jobId }),
});

const refused = (message: string): ClientRequest => ({
  kind: 'refused',
  error: refusal('badRequest', message),
});

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

const actionOf = (request: unknown): unknown =>
  typeof request === 'object' && request !== null && 'action' in request ? request.action : undefined;

/** The request, or why it is none. */
export const readRequest = (body: string | undefined): ClientRequest => {
  if (body === undefined || Buffer.byteLength(body) > MAX_CLIENT_MESSAGE_BYTES) {
    return refused('send {"action":"subscribe","jobId":"…"} in at most 32 KB');
  }
  const request = parseJson(body);
  if (pingRequestSchema.safeParse(request).success) return { kind: 'ping' };
  const leaving = actionOf(request) === 'unsubscribe';
  const read = leaving
    ? unsubscribeRequestSchema.safeParse(request)
    : subscribeRequestSchema.safeParse(request);
  if (read.success) {
    const { jobId, action, previews } = read.data;
    return action === 'subscribe'
      ? { kind: action, jobId, previews: previews === true }
      : { kind: action, jobId };
  }
  const field = read.error.issues[0]?.path.join('.') || 'message';
  return refused(`${field}: send {"action":"subscribe","jobId":"…"}, where jobId is the id of a task`);
};
