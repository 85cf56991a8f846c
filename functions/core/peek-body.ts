/** Looks at the start of a stream without losing it, and without holding more than that start. */
import { Readable } from 'node:stream';

export interface PeekedBody {
  /** The first `bytes` of the body, or all of a shorter one; it may be a little longer. */
  readonly head: Buffer;
  /** The whole body, from its first byte. */
  readonly body: Readable;
}

/** @throws what the body fails with */
export const peekBody = async (source: Readable, bytes: number): Promise<PeekedBody> => {
  const pieces = (source as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const seen: Buffer[] = [];
  let size = 0;
  while (size < bytes) {
    const next = await pieces.next();
    if (next.done === true) break;
    seen.push(next.value);
    size += next.value.length;
  }
  const head = Buffer.concat(seen);
  const whole = async function* whole(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
  };
  return { head, body: Readable.from(whole(), { objectMode: false }) };
};
