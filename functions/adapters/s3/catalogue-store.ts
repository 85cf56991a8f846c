/** What ComfyUIs can run: `catalogues/<hash>.json`, one object for all pods that are alike. */
import {
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { PipelineError } from '../../core/errors.ts';
import type { CatalogueStore } from '../../core/ports.ts';
import { parseCatalogue, type Catalogue } from '../../core/workflow/catalogue.ts';

/** Characters of JSON that are kept; a catalogue of a pod with many node packs has a few million, and grows when read. */
const MAX_CACHED_LENGTH = 32 * 1024 * 1024;

interface Cached {
  readonly catalogue: Catalogue;
  /** Characters of its JSON. */
  readonly length: number;
}

const keyOf = (hash: string): string => `catalogues/${hash}.json`;

/** @throws PipelineError `catalogue.invalid` */
const read = (hash: string, text: string): Catalogue => {
  const reading = parseCatalogue(JSON.parse(text));
  if (reading.kind === 'ok') return reading.catalogue;
  throw new PipelineError('catalogue.invalid', `catalogue ${hash}: ${reading.message}`, { retryable: false });
};

/** The hash is of the content, so whoever was first wrote the same. */
const isThere = (error: unknown): boolean =>
  error instanceof S3ServiceException && [409, 412].includes(error.$metadata.httpStatusCode ?? 0);

/** Endpoint, region and credentials come from the standard AWS variables. What was read once is kept in memory. */
export const createCatalogueStore = ({
  bucketName: Bucket,
  maxCachedLength = MAX_CACHED_LENGTH,
}: {
  readonly bucketName: string;
  readonly maxCachedLength?: number;
}): CatalogueStore => {
  const client = new S3Client({
    maxAttempts: 4,
    requestHandler: { connectionTimeout: 1000, requestTimeout: 15_000, throwOnRequestTimeout: true },
  });
  const cache = new Map<string, Cached>();
  const keep = (hash: string, cached: Cached): Catalogue => {
    cache.delete(hash);
    cache.set(hash, cached);
    let total = [...cache.values()].reduce((sum, { length }) => sum + length, 0);
    for (const [oldest, { length }] of cache) {
      if (total <= maxCachedLength || oldest === hash) break;
      cache.delete(oldest);
      total -= length;
    }
    return cached.catalogue;
  };
  return {
    put: async (hash, catalogue) => {
      const text = JSON.stringify(catalogue);
      const Body = Buffer.from(text);
      const request = { Bucket, Key: keyOf(hash), Body, ContentType: 'application/json', IfNoneMatch: '*' };
      try {
        await client.send(new PutObjectCommand(request));
      } catch (error) {
        if (!isThere(error)) throw error;
      }
      keep(hash, { catalogue, length: text.length });
    },
    get: async (hash) => {
      const cached = cache.get(hash);
      if (cached !== undefined) return keep(hash, cached);
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(hash) }));
        const text = await Body?.transformToString('utf8');
        if (text === undefined) return undefined;
        return keep(hash, { catalogue: read(hash, text), length: text.length });
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        throw error;
      }
    },
  };
};
