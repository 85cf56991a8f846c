import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { AwsPlace, AwsService, Log, ResourceProviders } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { createBucket, provisionedBucket, regionalDomainName } from './bucket.ts';
import type { Bucket } from './bucket.ts';
import { answerPreflight, applyCors } from './cors.ts';
import { openObject } from './open-object.ts';
import type { ByteRange, StoredObject } from './object-store.ts';
import { S3Error, noSuchBucket, replyS3Error, xml } from './s3-error.ts';
import { getObject, listObjects } from './s3-read.ts';
import { authorize, readAddress } from './s3-request.ts';
import type { S3Call } from './s3-request.ts';
import {
  abortUpload,
  completeUpload,
  copyObject,
  createUpload,
  deleteObject,
  deleteObjects,
  listParts,
  putObject,
  replyXml,
  uploadPart,
} from './s3-write.ts';

export interface S3Options {
  readonly place: AwsPlace;
  /** One directory per bucket is kept in here. */
  readonly dataDir: string;
  readonly log: Log;
}

/** An object for a reader inside the process. `open` gives its bytes, or a range of them. */
export interface ReadableObject {
  readonly object: StoredObject;
  open(range?: ByteRange): Promise<Readable>;
}

/** Sub-resources that exist in S3 and not here: named in the answer instead of taken for an object. */
const NOT_HERE =
  'acl tagging versions versioning policy website lifecycle notification encryption torrent retention attributes select restore cors location legal-hold'.split(
    ' ',
  );

/** S3, path-style: objects on disk, multipart uploads, presigned URLs (their signature is not verified). */
export class S3Service implements AwsService {
  readonly signingName = 's3';
  readonly providers: ResourceProviders = {
    'AWS::S3::Bucket': async (request) => {
      const bucket = createBucket(request, this.#options.dataDir);
      if (this.#buckets.has(bucket.name)) {
        throw new EmbeddedAwsError(
          'BucketAlreadyExists',
          `${request.logicalId}: bucket ${bucket.name} exists already`,
        );
      }
      this.#buckets.set(bucket.name, bucket);
      return provisionedBucket(this.#options.place, bucket.name);
    },
  };
  readonly #options: S3Options;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: S3Options) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = request.method === 'HEAD';
    try {
      await this.#answer(request, response);
    } catch (error) {
      if (!(error instanceof S3Error))
        this.#options.log('s3.failed', { url: request.url, reason: String(error) });
      // What is left of a refused body is not read: the connection cannot serve another request.
      if (!request.complete && !response.headersSent) response.setHeader('connection', 'close');
      replyS3Error(response, error, head);
    }
  }

  /** An object for a reader that needs no signature. Undefined when there is none, or no such bucket. */
  readObject(bucket: string, key: string): ReadableObject | undefined {
    const store = this.#buckets.get(bucket)?.objects;
    const object = store?.get(key);
    if (!store || !object) return undefined;
    return { object, open: (range) => openObject(store, object, range) };
  }

  /** The bucket behind a domain name such as `BUCKET.s3.REGION.amazonaws.com`. */
  bucketOfDomain(domainName: string): string | undefined {
    const { place } = this.#options;
    return [...this.#buckets.keys()].find(
      (name) => domainName === regionalDomainName(place, name) || domainName === `${name}.s3.amazonaws.com`,
    );
  }

  async close(): Promise<void> {
    // All files are closed by the requests that opened them; the uploads not completed go with the next start.
    this.#buckets.clear();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const address = readAddress(request);
    const store = this.#buckets.get(address.bucket);
    if (request.method === 'OPTIONS') {
      if (!store) throw noSuchBucket();
      return answerPreflight(store.cors, request, response);
    }
    if (store) applyCors(store.cors, request, response);
    authorize(address, Date.now());
    if (address.bucket === '') return this.#listBuckets(response);
    if (!store) throw noSuchBucket();
    const call: S3Call = { ...address, request, response, store };
    const missing = NOT_HERE.find((name) => address.query.has(name));
    if (missing !== undefined) throw notImplemented(`The sub-resource ${missing}`);
    await (address.key === '' ? bucketCall(call) : this.#objectCall(call));
  }

  async #objectCall(call: S3Call): Promise<void> {
    const { request, query, headers } = call;
    const upload = query.has('uploadId');
    switch (request.method ?? '') {
      case 'GET':
        return upload ? listParts(call) : getObject(call);
      case 'HEAD':
        return getObject(call);
      case 'PUT':
        if (upload) return uploadPart(call);
        if (headers['x-amz-copy-source'] === undefined) return putObject(call);
        return copyObject(call, (name) => this.#bucket(name));
      case 'POST':
        if (query.has('uploads')) return createUpload(call);
        if (upload) return completeUpload(call);
        throw notImplemented('This POST');
      case 'DELETE':
        return upload ? abortUpload(call) : deleteObject(call);
      default:
        throw new S3Error(
          405,
          'MethodNotAllowed',
          'The specified method is not allowed against this resource.',
        );
    }
  }

  #bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw noSuchBucket();
    return bucket;
  }

  #listBuckets(response: ServerResponse): void {
    const buckets = [...this.#buckets.values()].map(
      ({ name, createdAt }) =>
        `<Bucket>${xml('Name', name)}${xml('CreationDate', createdAt.toISOString())}</Bucket>`,
    );
    replyXml({ response }, 'ListAllMyBucketsResult', `<Buckets>${buckets.join('')}</Buckets>`);
  }
}

async function bucketCall(call: S3Call): Promise<void> {
  const { request, query, response } = call;
  if (request.method === 'HEAD') {
    response.writeHead(200).end();
    return;
  }
  if (request.method === 'POST' && query.has('delete')) return deleteObjects(call);
  if (request.method === 'GET' && query.get('list-type') === '2') return listObjects(call);
  throw notImplemented(`${request.method} of a bucket without list-type=2 or delete`);
}

function notImplemented(what: string): S3Error {
  return new S3Error(501, 'NotImplemented', `${what} is not supported here`);
}
