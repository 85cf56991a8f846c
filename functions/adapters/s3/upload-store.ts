/** Files that users upload: `uploads/<user>/<fileId>/<filename>`, put there by the user through a presigned URL. */
import {
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { Readable } from 'node:stream';
import { PipelineError } from '../../core/errors.ts';
import { segmentOf } from '../../core/output-key.ts';
import type { Clock, UploadStore } from '../../core/ports.ts';

/** Seconds that an upload URL is good for. */
const URL_SECONDS = 900;

const folderOf = (userId: string, fileId: string): string => `uploads/${segmentOf(userId)}/${fileId}/`;

/**
 * Without the length and the type in the signature, whoever has the URL could store anything under it; the SDK leaves
 * the type out unless it is told. Source: `signableHeaders`,
 * https://docs.aws.amazon.com/AWSJavaScriptSDK/v3/latest/Package/-aws-sdk-s3-request-presigner/
 */
const signableHeaders = new Set(['host', 'content-length', 'content-type']);

/**
 * Endpoint, region and credentials come from the standard AWS variables.
 * @param clock when a URL expires is told by it; S3 goes by its own
 */
export const createUploadStore = ({
  bucketName: Bucket,
  clock,
}: {
  readonly bucketName: string;
  readonly clock: Pick<Clock, 'now'>;
}): UploadStore => {
  const client = new S3Client({
    maxAttempts: 4,
    // Else the URL demands the checksum of an empty body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 1000, requestTimeout: 8000, throwOnRequestTimeout: true },
  });

  return {
    presign: async ({ userId, fileId, filename, contentType, size }) => {
      const expiresAt = new Date(clock.now() + URL_SECONDS * 1000).toISOString();
      const command = new PutObjectCommand({
        Bucket,
        Key: `${folderOf(userId, fileId)}${filename}`,
        ContentType: contentType,
        ContentLength: size,
      });
      const url = await getSignedUrl(client, command, { expiresIn: URL_SECONDS, signableHeaders });
      return { fileId, url, headers: { 'content-type': contentType }, expiresAt };
    },
    find: async (userId, fileId) => {
      const Prefix = folderOf(userId, fileId);
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix, MaxKeys: 1 }));
      const [{ Key: key, Size: size } = {}] = Contents;
      if (key === undefined || size === undefined) return undefined;
      return { key, filename: key.slice(Prefix.length), size };
    },
    open: async (key) => {
      try {
        const { Body, ContentLength: size } = await client.send(new GetObjectCommand({ Bucket, Key: key }));
        if (!(Body instanceof Readable) || size === undefined) {
          throw new PipelineError('upload.open', 'S3 answered no body', { retryable: true });
        }
        return { body: Body, size };
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        throw error;
      }
    },
  };
};
