import type { IncomingMessage, ServerResponse } from 'node:http';

/** Calls of one operation of one service since the last reset. Bytes are those of the bodies. */
export interface CallCount {
  readonly service: string;
  readonly operation: string;
  readonly count: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** The same, by who called: the application id of the SDK's user agent, which functions have as their name. */
export interface CallerCount extends CallCount {
  /** Empty for a caller without an application id. */
  readonly caller: string;
}

type Counting = { -readonly [Key in keyof CallerCount]: CallerCount[Key] };

/** Counts calls by service, operation and caller. */
export class CallCounter {
  readonly #counts = new Map<string, Counting>();

  /** Counts the call now and its bytes as they pass. */
  watch(service: string, operation: string, request: IncomingMessage, response: ServerResponse): void {
    const count = this.#countOf(service, operation, callerOf(request));
    count.count += 1;
    onBytesIn(request, (bytes) => (count.requestBytes += bytes));
    onBytesOut(response, (bytes) => (count.responseBytes += bytes));
  }

  /** A copy, ordered by service and operation. */
  snapshot(): readonly CallCount[] {
    const sums = new Map<string, { -readonly [Key in keyof CallCount]: CallCount[Key] }>();
    for (const { caller: _, ...count } of this.byCaller()) {
      const key = `${count.service} ${count.operation}`;
      const sum = sums.get(key);
      if (sum === undefined) sums.set(key, count);
      else {
        sum.count += count.count;
        sum.requestBytes += count.requestBytes;
        sum.responseBytes += count.responseBytes;
      }
    }
    return [...sums.values()];
  }

  /** A copy, ordered by service, operation and caller. */
  byCaller(): readonly CallerCount[] {
    return [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => ({ ...count }));
  }

  reset(): void {
    this.#counts.clear();
  }

  #countOf(service: string, operation: string, caller: string): Counting {
    const key = `${service} ${operation} ${caller}`;
    const known = this.#counts.get(key);
    if (known) return known;
    const created = { service, operation, caller, count: 0, requestBytes: 0, responseBytes: 0 };
    this.#counts.set(key, created);
    return created;
  }
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html */
const callerOf = ({ headers }: IncomingMessage): string => {
  const agent = `${headers['user-agent'] ?? ''} ${String(headers['x-amz-user-agent'] ?? '')}`;
  return /(?:^|\s)app\/(\S{1,50})/.exec(agent)?.[1] ?? '';
};

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
