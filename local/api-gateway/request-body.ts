import type { IncomingMessage } from 'node:http';

export type BodyResult =
  | { readonly kind: 'complete'; readonly body: Buffer }
  | { readonly kind: 'tooLarge' }
  | { readonly kind: 'tooSlow' }
  | { readonly kind: 'aborted' };

/**
 * Reads a body of at most `maxBytes` within `timeoutMs`. Never keeps more than the limit: a larger announced length
 * is refused unread, a larger chunked one at the chunk that passes the limit. The caller closes the connection then.
 */
export async function readBody(
  incoming: IncomingMessage,
  maxBytes: number,
  timeoutMs: number,
): Promise<BodyResult> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return { kind: 'tooLarge' };
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (result: BodyResult): void => {
      clearTimeout(timer);
      incoming.off('data', onData);
      if (result.kind !== 'complete') incoming.pause();
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) settle({ kind: 'tooLarge' });
      else chunks.push(chunk);
    };
    const timer = setTimeout(() => settle({ kind: 'tooSlow' }), timeoutMs);
    incoming.on('data', onData);
    incoming.once('end', () => settle({ kind: 'complete', body: Buffer.concat(chunks) }));
    incoming.once('error', () => settle({ kind: 'aborted' }));
    incoming.once('close', () => settle({ kind: 'aborted' }));
  });
}

/**
 * Lets a client that is still sending read its answer first: hanging up at once would reset the connection under it.
 * Whatever comes is thrown away, and after the grace period the connection goes.
 */
export function discardRest(incoming: IncomingMessage, graceMs: number): void {
  if (incoming.complete || incoming.destroyed) return;
  const { socket } = incoming;
  const timer = setTimeout(() => socket.destroy(), graceMs);
  incoming.once('close', () => clearTimeout(timer));
  incoming.once('end', () => clearTimeout(timer));
  incoming.resume();
}
