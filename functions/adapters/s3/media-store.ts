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

/**
 * Checked by ETag each time: a retry, or a file that changed after it was copied early, writes the same key again, for
 * the key is known before the job ends.
 */
const CACHE_CONTROL = 'public, max-age=0, must-revalidate';
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

interface CountedBody {
  readonly body: Readable;
  /** Bytes that passed. */
  readonly size: () => number;
  /** Rejects when the source fails or has another length. Never resolves. */
  readonly failure: Promise<never>;
}

/**
 * What the SDK gets to send. It never errors, because the SDK would neither handle that nor stop waiting, and it
 * never ends when its length is wrong, so that what is wrong is never a whole object: the request is aborted.
 */
const countBytes = (source: Readable, length: number | undefined): CountedBody => {
  let size = 0;
  let fail: (error: Error) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const counter = new Transform({
    transform: (chunk: Buffer, _encoding, pass) => {
      size += chunk.length;
      if (length !== undefined && size > length) fail(lengthError(length, size));
      else pass(null, chunk);
    },
    flush: (end) => {
      if (length !== undefined && size < length) fail(lengthError(length, size));
      else end();
    },
  });
  source.on('error', fail);
  return { body: source.pipe(counter), size: () => size, failure };
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

/** Sends the body; when it fails, the request is aborted, and S3 forgets what it got of it. */
const sendBody = async (
  source: Readable,
  length: number | undefined,
  send: (body: Readable, controller: AbortController) => Promise<unknown>,
): Promise<number> => {
  const controller = new AbortController();
  const { body, size, failure } = countBytes(source, length);
  const sending = send(body, controller);
  try {
    await Promise.race([sending, failure]);
    return size();
  } finally {
    // Whichever lost the race may still reject; by then it is told.
    sending.catch(() => undefined);
    failure.catch(() => undefined);
    controller.abort();
    source.destroy();
    body.destroy();
  }
};

/** The SDK warns on the console of what it throws anyway. */
const silent = (): void => undefined;
const logger = { trace: silent, debug: silent, info: silent, warn: silent, error: silent };

/** Endpoint, region and credentials come from the standard AWS variables. */
export const createMediaStore = ({ bucketName, cdnUrl }: MediaStoreOptions): MediaStore => {
  const client = new S3Client({ maxAttempts: 6, logger });

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
      try {
        const size = await sendBody(object.body, object.length, (body, controller) =>
          send(object, overwrite, body, controller),
        );
        return { kind: 'stored', size };
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
