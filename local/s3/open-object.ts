import type { Readable } from 'node:stream';
import type { ByteRange, ObjectStore, StoredObject } from './object-store.ts';
import { S3Error } from './s3-error.ts';

/** The bytes of the object. Throws a retryable SlowDown when it was replaced in the very moment of opening. */
export async function openObject(
  store: ObjectStore,
  object: StoredObject,
  range?: ByteRange,
): Promise<Readable> {
  try {
    return await store.read(object, range);
  } catch {
    throw new S3Error(503, 'SlowDown', 'The object was replaced while it was opened; try again');
  }
}
