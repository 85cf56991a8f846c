import { createHash, randomUUID } from 'node:crypto';
import type { ObjectStore, StoredObject, WrittenFile } from './object-store.ts';
import { S3Error, noSuchUpload } from './s3-error.ts';

const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_PART_NUMBER = 10_000;

interface Upload {
  readonly key: string;
  readonly headers: Record<string, string>;
  readonly parts: Map<number, WrittenFile>;
}

export interface PartChoice {
  readonly number: number;
  /** Without quotes. */
  readonly etag: string;
}

/** Uploads in parts. They live in memory: a restart aborts them. */
export class MultipartUploads {
  readonly #objects: ObjectStore;
  readonly #uploads = new Map<string, Upload>();

  constructor(objects: ObjectStore) {
    this.#objects = objects;
  }

  start(key: string, headers: Record<string, string>): string {
    const id = randomUUID().replaceAll('-', '');
    this.#uploads.set(id, { key, headers, parts: new Map() });
    return id;
  }

  async addPart(id: string, key: string, number: number, body: AsyncIterable<Buffer>): Promise<WrittenFile> {
    this.#find(id, key);
    if (!Number.isInteger(number) || number < 1 || number > MAX_PART_NUMBER) {
      throw new S3Error(
        400,
        'InvalidArgument',
        'Part number must be an integer between 1 and 10000, inclusive',
      );
    }
    const written = await this.#objects.write(key, body);
    const upload = this.#uploads.get(id);
    if (!upload) {
      await this.#objects.discard(written.file);
      throw noSuchUpload();
    }
    const replaced = upload.parts.get(number);
    upload.parts.set(number, written);
    if (replaced) await this.#objects.discard(replaced.file);
    return written;
  }

  parts(id: string, key: string): readonly (readonly [number, WrittenFile])[] {
    return [...this.#find(id, key).parts].sort(([one], [other]) => one - other);
  }

  async complete(
    id: string,
    key: string,
    choices: readonly PartChoice[],
    check: (existing: StoredObject | undefined) => void,
  ): Promise<StoredObject> {
    const upload = this.#find(id, key);
    const parts = chosenParts(upload, choices);
    check(this.#objects.get(key));
    this.#uploads.delete(id);
    const objects = this.#objects;
    const joined = async function* (): AsyncGenerator<Buffer, void, undefined> {
      for (const part of parts) yield* (await objects.read(part)) as AsyncIterable<Buffer>;
    };
    try {
      const written = await objects.write(key, joined());
      const stored = await objects.commit(
        key,
        written,
        { etag: joinedEtag(parts), headers: upload.headers },
        check,
      );
      await this.#discardParts(upload);
      return stored;
    } catch (error) {
      this.#uploads.set(id, upload);
      throw error;
    }
  }

  async abort(id: string, key: string): Promise<void> {
    const upload = this.#find(id, key);
    this.#uploads.delete(id);
    await this.#discardParts(upload);
  }

  async #discardParts(upload: Upload): Promise<void> {
    await Promise.all([...upload.parts.values()].map((part) => this.#objects.discard(part.file)));
  }

  #find(id: string, key: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload?.key !== key) throw noSuchUpload();
    return upload;
  }
}

function chosenParts(upload: Upload, choices: readonly PartChoice[]): WrittenFile[] {
  if (choices.length === 0) throw new S3Error(400, 'MalformedXML', 'You must specify at least one part');
  if (choices.some(({ number }, index) => number <= (choices[index - 1]?.number ?? 0))) {
    throw new S3Error(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  return choices.map(({ number, etag }, index) => {
    const part = upload.parts.get(number);
    if (part?.md5 !== etag) {
      throw new S3Error(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
    }
    if (index < choices.length - 1 && part.size < MIN_PART_BYTES) {
      throw new S3Error(
        400,
        'EntityTooSmall',
        'Your proposed upload is smaller than the minimum allowed size',
      );
    }
    return part;
  });
}

function joinedEtag(parts: readonly WrittenFile[]): string {
  const digests = Buffer.concat(parts.map((part) => Buffer.from(part.md5, 'hex')));
  return `${createHash('md5').update(digests).digest('hex')}-${parts.length}`;
}
