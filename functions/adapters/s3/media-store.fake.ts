/** A media store in memory that keeps the port's promises: whole objects or none, no overwrite unless asked. */
import { PipelineError } from '../../core/errors.ts';
import type { MediaObject, MediaStore } from '../../core/ports.ts';

export interface FakeObject extends Omit<MediaObject, 'body' | 'length'> {
  readonly content: Buffer;
}

export interface FakeMediaStore extends MediaStore {
  readonly objects: ReadonlyMap<string, FakeObject>;
  /** Keys in the order in which they were written; a key that was written twice stands twice. */
  readonly writes: readonly string[];
  /** The next `count` writes reject, having stored nothing. */
  failNextPuts(count: number): void;
}

export const createFakeMediaStore = ({
  cdnUrl = 'https://cdn.example.com',
}: { readonly cdnUrl?: string } = {}): FakeMediaStore => {
  const objects = new Map<string, FakeObject>();
  const writes: string[] = [];
  let failures = 0;
  return {
    objects,
    writes,
    failNextPuts: (count) => {
      failures = count;
    },
    head: async (key) => {
      const object = objects.get(key);
      if (object === undefined) return undefined;
      const { content, contentType, sourceEtag } = object;
      return { size: content.length, contentType, sourceEtag };
    },
    put: async ({ body, length, ...object }, { overwrite }) => {
      const pieces: Buffer[] = [];
      for await (const piece of body as AsyncIterable<Buffer>) pieces.push(piece);
      const content = Buffer.concat(pieces);
      if (length !== undefined && content.length !== length) {
        throw new PipelineError('media.length', 'the body has another length', { retryable: true });
      }
      if (failures > 0) {
        failures -= 1;
        throw new PipelineError('media.put', 'the store does not answer', { retryable: true });
      }
      if (objects.has(object.key) && !overwrite) return { kind: 'exists' };
      objects.set(object.key, { ...object, content });
      writes.push(object.key);
      return { kind: 'stored', size: content.length };
    },
    urlOf: (key) => `${cdnUrl}/${key}`,
  };
};
