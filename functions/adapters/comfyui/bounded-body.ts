/** The body of a file, cut off when it grows too large or takes too long: a node can serve a file without end. */
import { Transform, pipeline, type Readable } from 'node:stream';
import { PipelineError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';

export interface FileLimits {
  /** Bytes of one file. */
  readonly maxBytes: number;
  /** Milliseconds from the head of the answer to the last byte, in all. */
  readonly deadlineMs: number;
}

/** `file.refused` is the file's own fault, and fetching it again would end alike. */
const refused = (message: string): PipelineError =>
  new PipelineError('file.refused', message, { retryable: false });

export const tooLargeMessage = (maxBytes: number): string => `the file is larger than ${maxBytes} bytes`;

/** The same bytes; fails with `file.refused` at the first one beyond a limit, and then closes the source. */
export const boundedBody = (
  source: Readable,
  { maxBytes, deadlineMs }: FileLimits,
  clock: Clock,
): Readable => {
  let size = 0;
  const body = new Transform({
    transform: (chunk: Buffer, _encoding, pass) => {
      size += chunk.length;
      if (size > maxBytes) pass(refused(tooLargeMessage(maxBytes)));
      else pass(null, chunk);
    },
  });
  const ended = new AbortController();
  clock.sleep(deadlineMs, ended.signal).then(
    () => body.destroy(refused(`the file did not arrive within ${deadlineMs} ms`)),
    () => undefined,
  );
  // Kept for whoever reads the body: until the first read nobody listens.
  body.on('error', () => undefined);
  body.once('close', () => ended.abort());
  pipeline(source, body, () => undefined);
  return body;
};
