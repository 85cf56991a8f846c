/** Stored media: one object an output, written once, served by the CDN. */
import { HeadObjectCommand, PutObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Transform, type Readable } from 'node:stream';
import { PipelineError } from '../../core/errors.ts';
import type { MediaObject, MediaStore } from '../../core/ports.ts';

export interface MediaStoreOptions {
  readonly bucketName: string;
  /** Base URL of the CDN, without a trailing slash. */
  readonly cdnUrl: string;
}

/** The content of a key does not change once the job has ended. */
const CACHE_CONTROL = 'public, max-age=31536000, immutable';
const MAX_ETAG = 512;

const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;

/** Metadata travels as a header: only what is safe there. */
const metadataOf = ({ sourceEtag }: MediaObject): Record<string, string> =>
  sourceEtag === undefined || sourceEtag.length > MAX_ETAG
    ? {}
    : { 'source-etag': encodeURIComponent(sourceEtag) };

const decode = (value: string | undefined): string | undefined => {
  try {
    return value === undefined ? undefined : decodeURIComponent(value);
  } catch {
    return undefined;
  }
};

const lengthError = (expected: number, received: number): PipelineError =>
  new PipelineError('media.length', `the body has ${received} bytes instead of ${expected}`, {
    retryable: true,
  });

/** Counts what passes, and fails before the end is told, so that a wrong length is never a whole object. */
const countBytes = (length: number | undefined) => {
  let size = 0;
  const counter = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      size += chunk.length;
      if (length !== undefined && size > length) done(lengthError(length, size));
      else done(null, chunk);
    },
    flush: (done) => done(length !== undefined && size < length ? lengthError(length, size) : null),
  });
  return { counter, size: () => size };
};

const inputOf = (Bucket: string, object: MediaObject, overwrite: boolean) => ({
  Bucket,
  Key: object.key,
  ContentType: object.contentType,
  ContentDisposition: object.contentDisposition,
  CacheControl: CACHE_CONTROL,
  Metadata: metadataOf(object),
  ...(overwrite ? {} : { IfNoneMatch: '*' }),
});

/**
 * Sends the body; a body that fails aborts the request, which S3 then forgets: the SDK itself would wait for the
 * rest for ever.
 */
const sendBody = async (
  source: Readable,
  counter: Transform,
  send: (body: Readable, signal: AbortController) => Promise<unknown>,
): Promise<void> => {
  const controller = new AbortController();
  const failed = new Promise<never>((_, reject) => {
    const fail = (error: Error): void => {
      controller.abort();
      counter.destroy(error);
      reject(error);
    };
    source.once('error', fail);
    counter.once('error', fail);
  });
  // Whoever loses the race must not be unhandled.
  failed.catch(() => undefined);
  const sending = send(source.pipe(counter), controller);
  sending.catch(() => undefined);
  try {
    await Promise.race([sending, failed]);
  } finally {
    source.destroy();
    counter.destroy();
  }
};

/** Endpoint, region and credentials come from the standard AWS variables. */
export const createMediaStore = ({ bucketName, cdnUrl }: MediaStoreOptions): MediaStore => {
  const client = new S3Client({ maxAttempts: 6 });

  const send = (
    object: MediaObject,
    overwrite: boolean,
    Body: Readable,
    controller: AbortController,
  ): Promise<unknown> => {
    const params = { ...inputOf(bucketName, object, overwrite), Body };
    const { length: ContentLength } = object;
    if (ContentLength === undefined) {
      return new Upload({ client, params, queueSize: 1, abortController: controller }).done();
    }
    const command = new PutObjectCommand({ ...params, ContentLength });
    return client.send(command, { abortSignal: controller.signal });
  };

  return {
    // Without the right to list the bucket S3 answers 403 for a key that does not exist.
    head: async (key) => {
      try {
        const head = await client.send(new HeadObjectCommand({ Bucket: bucketName, Key: key }));
        return {
          size: head.ContentLength ?? 0,
          contentType: head.ContentType ?? 'application/octet-stream',
          sourceEtag: decode(head.Metadata?.['source-etag']),
        };
      } catch (error) {
        if ([403, 404].includes(statusOf(error) ?? 0)) return undefined;
        throw error;
      }
    },
    put: async (object, { overwrite }) => {
      const { counter, size } = countBytes(object.length);
      try {
        await sendBody(object.body, counter, (body, controller) => send(object, overwrite, body, controller));
        return { kind: 'stored', size: size() };
      } catch (error) {
        if (statusOf(error) === 412) return { kind: 'exists' };
        if (error instanceof PipelineError) throw error;
        throw new PipelineError('media.put', `the object could not be stored: ${String(error)}`, {
          retryable: true,
          cause: error,
        });
      }
    },
    urlOf: (key) => `${cdnUrl}/${key.split('/').map(encodeURIComponent).join('/')}`,
  };
};
