/**
 * One HTTP request to an untrusted worker: the name is resolved, each address is checked, and the connection goes
 * to just what was checked, so a second DNS answer cannot lead elsewhere. Redirects are not followed.
 */
import { lookup as resolve } from 'node:dns';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { PipelineError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { isAddressAllowed, type AddressPolicy } from '../../core/worker-address.ts';

export interface HttpOptions {
  readonly addressPolicy: AddressPolicy;
  readonly clock: Clock;
  /** Milliseconds until the head of the answer must be here, and between two pieces of its body. */
  readonly timeoutMs: number;
  /** Besides our own, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A body that is not in memory. */
export interface StreamedBody {
  /** Read to its end, or destroyed. Its error ends the request. */
  readonly stream: Readable;
  readonly contentType: string;
  /** Bytes, exactly. */
  readonly length: number;
}

/** `sent` tells whether the request may have reached the worker. */
export class WorkerHttpError extends PipelineError {
  readonly sent: boolean;
  constructor(code: string, message: string, sent: boolean, cause?: unknown) {
    super(code, message, { retryable: true, cause });
    this.name = 'WorkerHttpError';
    this.sent = sent;
  }
}

const forbidden = (): WorkerHttpError =>
  new WorkerHttpError('worker.address-refused', 'the address policy does not allow this worker', false);

/** Resolves, and answers only when every address is allowed: a mixed answer is an attack. */
const checkedLookup =
  (policy: AddressPolicy): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0);
      const [first] = addresses;
      if (first === undefined || !addresses.every(({ address }) => isAddressAllowed(address, policy))) {
        return callback(forbidden(), '', 0);
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };

/** A literal address is never looked up, so it is checked here. */
const checkLiteral = ({ hostname }: URL, policy: AddressPolicy): void => {
  const literal = hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && !isAddressAllowed(literal, policy)) throw forbidden();
};

const codeOf = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'connection error';
};

/** The system's text would name addresses; its code does not. */
const asWorkerError = (error: unknown, sent: boolean): WorkerHttpError => {
  if (error instanceof WorkerHttpError) return new WorkerHttpError(error.code, error.message, sent, error);
  return new WorkerHttpError(
    'worker.no-answer',
    `the worker does not answer (${codeOf(error)})`,
    sent,
    error,
  );
};

const timeout = (timeoutMs: number, sent: boolean): WorkerHttpError =>
  new WorkerHttpError('worker.timeout', `the worker does not answer within ${timeoutMs} ms`, sent);

const bodyHeaders = (body: string | StreamedBody | undefined): Readonly<Record<string, string | number>> => {
  if (body === undefined) return {};
  if (typeof body !== 'string') return { 'content-type': body.contentType, 'content-length': body.length };
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
};

/**
 * An error of the stream destroys the request, and is its error. A request that ends before the stream does destroys
 * the stream.
 */
const writeBody = (request: ClientRequest, body: string | StreamedBody | undefined): void => {
  if (body === undefined || typeof body === 'string') {
    request.end(body);
    return;
  }
  // By itself the pipeline would end the request without a reason.
  body.stream.once('error', (error) => request.destroy(error));
  pipeline(body.stream, request, () => undefined);
};

/**
 * Sends one request and answers as soon as the head of the response is here. The caller reads or destroys the
 * body. A body that pauses for `timeoutMs` is destroyed with an error.
 * @throws WorkerHttpError
 */
export const send = async (
  url: string,
  body: string | StreamedBody | undefined,
  { addressPolicy, clock, timeoutMs, headers }: HttpOptions,
): Promise<IncomingMessage> => {
  const target = new URL(url);
  checkLiteral(target, addressPolicy);
  const secure = target.protocol === 'https:';
  const request = (secure ? httpsRequest : httpRequest)(target, {
    method: body === undefined ? 'GET' : 'POST',
    agent: false,
    lookup: checkedLookup(addressPolicy),
    headers: {
      accept: '*/*',
      // A compressed answer could unfold into any size.
      'accept-encoding': 'identity',
      ...bodyHeaders(body),
      ...headers,
    },
  });
  let sent = false;
  request.once('socket', (socket) => {
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      sent = true;
    });
  });
  const deadline = new AbortController();
  clock.sleep(timeoutMs, deadline.signal).then(
    () => request.destroy(timeout(timeoutMs, sent)),
    () => undefined,
  );
  try {
    return await new Promise<IncomingMessage>((answer, refuse) => {
      request.once('response', (response) => {
        // Kept for whoever reads the body: between the head and the first read nobody listens.
        response.on('error', () => undefined);
        request.setTimeout(timeoutMs, () => response.destroy(timeout(timeoutMs, true)));
        answer(response);
      });
      // Stays for the life of the request: an error after the head must not be unhandled.
      request.on('error', refuse);
      writeBody(request, body);
    });
  } catch (error) {
    throw asWorkerError(error, sent);
  } finally {
    deadline.abort();
  }
};

/**
 * Reads a body as text, within `timeoutMs` in all.
 * @throws WorkerHttpError when it is longer than `maxBytes`, compressed, cut short, or slow
 */
export const readText = async (
  response: IncomingMessage,
  maxBytes: number,
  { clock, timeoutMs }: HttpOptions,
): Promise<string> => {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  const deadline = new AbortController();
  clock.sleep(timeoutMs, deadline.signal).then(
    () => response.destroy(timeout(timeoutMs, true)),
    () => undefined,
  );
  try {
    if (encoding !== 'identity')
      throw new WorkerHttpError('worker.encoding', 'the answer is compressed', true);
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of response as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > maxBytes)
        throw new WorkerHttpError('worker.too-long', `the answer is longer than ${maxBytes} bytes`, true);
      pieces.push(piece);
    }
    if (!response.complete) throw new WorkerHttpError('worker.cut', 'the answer was cut short', true);
    return new TextDecoder().decode(Buffer.concat(pieces));
  } catch (error) {
    throw asWorkerError(error, true);
  } finally {
    deadline.abort();
    response.destroy();
  }
};
