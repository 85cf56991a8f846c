import type { IncomingMessage, ServerResponse } from 'node:http';

/** Calls of one operation of one service since the last reset. Bytes are those of the bodies. */
export interface CallCount {
  readonly service: string;
  readonly operation: string;
  readonly count: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** Counts calls by service and operation. */
export class CallCounter {
  readonly #counts = new Map<string, { -readonly [Key in keyof CallCount]: CallCount[Key] }>();

  /** Counts the call now and its bytes as they pass. */
  watch(service: string, operation: string, request: IncomingMessage, response: ServerResponse): void {
    const count = this.#countOf(service, operation);
    count.count += 1;
    onBytesIn(request, (bytes) => (count.requestBytes += bytes));
    onBytesOut(response, (bytes) => (count.responseBytes += bytes));
  }

  /** A copy, ordered by service and operation. */
  snapshot(): readonly CallCount[] {
    const keys = [...this.#counts.keys()].sort();
    return keys.flatMap((key) => {
      const count = this.#counts.get(key);
      return count ? [{ ...count }] : [];
    });
  }

  reset(): void {
    this.#counts.clear();
  }

  #countOf(service: string, operation: string): { -readonly [Key in keyof CallCount]: CallCount[Key] } {
    const key = `${service} ${operation}`;
    const known = this.#counts.get(key);
    if (known) return known;
    const created = { service, operation, count: 0, requestBytes: 0, responseBytes: 0 };
    this.#counts.set(key, created);
    return created;
  }
}

/** Listening for `data` would start the stream before the service reads it, so the way into its buffer is watched. */
function onBytesIn(request: IncomingMessage, report: (bytes: number) => void): void {
  const push = request.push.bind(request);
  request.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk instanceof Uint8Array) report(chunk.byteLength);
    return push(chunk, encoding);
  };
}

function onBytesOut(response: ServerResponse, report: (bytes: number) => void): void {
  for (const method of ['write', 'end'] as const) {
    const original: unknown = Reflect.get(response, method);
    if (typeof original !== 'function') continue;
    const watched = (...args: unknown[]): unknown => {
      const [chunk] = args;
      if (typeof chunk === 'string') report(Buffer.byteLength(chunk));
      else if (chunk instanceof Uint8Array) report(chunk.byteLength);
      return Reflect.apply(original, response, args);
    };
    Object.defineProperty(response, method, { value: watched, configurable: true });
  }
}
