/** Calls of callback URLs: whatever a user named, checked again at connect, and never waited for long. */
import type { CallbackSender } from '../../core/callbacks/callback.ts';
import type { Clock } from '../../core/ports.ts';
import type { AddressPolicy } from '../../core/worker-address.ts';
import { send, WorkerHttpError } from '../comfyui/http-request.ts';

export interface CallbackSenderOptions {
  /** What the URL's host may resolve to; every address of it is checked at each call. */
  readonly addressPolicy: AddressPolicy;
  readonly clock: Clock;
}

/** Standard Webhooks suggests 15 to 30 seconds. */
const TIMEOUT_MS = 15_000;

const messages: Readonly<Record<string, string>> = {
  'worker.address-refused': 'the host of the callback URL resolves to an address that is not allowed',
  'worker.timeout': `no answer within ${TIMEOUT_MS / 1000} s`,
};

const messageOf = (error: unknown): string => {
  if (!(error instanceof WorkerHttpError)) return 'the URL cannot be called';
  const reason = /\(([A-Z_a-z ]+)\)$/.exec(error.message)?.[1] ?? 'connection error';
  return messages[error.code] ?? `no connection, or it broke (${reason})`;
};

/** The answer's body is of no interest: it is not read. */
export const createCallbackSender = ({ addressPolicy, clock }: CallbackSenderOptions): CallbackSender => ({
  post: async (url, headers, body) => {
    try {
      const response = await send(url, body, {
        addressPolicy,
        clock,
        timeoutMs: TIMEOUT_MS,
        headers: { ...headers, 'user-agent': 'comfyui-event-pipeline' },
      });
      response.destroy();
      return { kind: 'answered', statusCode: response.statusCode ?? 0 };
    } catch (error) {
      return { kind: 'failed', message: messageOf(error) };
    }
  },
});
