/**
 * Objects on disk: the bytes under the SHA-256 of the key (a key is never a path), the metadata beside them.
 * The bytes are written first and belong to nobody; the metadata makes them the object, so a reader sees all of
 * an object or none of it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';

const objectSchema = z.object({
  key: z.string(),
  size: z.number(),
  etag: z.string(),
  lastModified: z.string(),
  /** Lower-case response headers kept with the object: content-type, x-amz-meta-*, … */
  headers: z.record(z.string(), z.string()),
  file: z.string(),
});
/** What is known of a stored object. `etag` is without quotes, `lastModified` ISO 8601. */
export type StoredObject = z.infer<typeof objectSchema>;

export interface ByteRange {
  /** First and last byte, both included. */
  readonly start: number;
  readonly end: number;
}

/** Bytes on disk that are not yet an object. */
export interface WrittenFile {
  readonly file: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly md5: string;
}

export class ObjectStore {
  readonly #directory: string;
  readonly #objects = new Map<string, StoredObject>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    this.#load();
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  /** All keys in the order of their UTF-8 bytes, as S3 lists them. */
  sortedKeys(): string[] {
    return [...this.#objects.keys()].sort((one, other) =>
      Buffer.compare(Buffer.from(one), Buffer.from(other)),
    );
  }

  /** Writes bytes that belong to no object until `commit`. Removes them when the source fails. */
  async write(key: string, source: AsyncIterable<Buffer>): Promise<WrittenFile> {
    const file = `${createHash('sha256').update(key).digest('hex')}.${randomUUID()}`;
    const md5 = createHash('md5');
    let size = 0;
    const counted = async function* (): AsyncGenerator<Buffer, void, undefined> {
      for await (const bytes of source) {
        md5.update(bytes);
        size += bytes.length;
        yield bytes;
      }
    };
    // Opened first, so that a source that fails at once cannot leave a file that is created after its removal.
    const handle = await open(this.#path(file), 'w');
    try {
      await pipeline(Readable.from(counted(), { objectMode: false }), handle.createWriteStream());
    } catch (error) {
      await this.discard(file);
      throw error;
    }
    return { file, size, md5: md5.digest('hex') };
  }

  async discard(file: string): Promise<void> {
    await rm(this.#path(file), { force: true });
  }

  /**
   * Makes written bytes the object. `check` is asked and the key taken in one step, so of many writers with the
   * same precondition exactly one wins. Throws what `check` throws; the bytes are then gone.
   */
  async commit(
    key: string,
    written: WrittenFile,
    object: { readonly etag: string; readonly headers: Record<string, string> },
    check: (existing: StoredObject | undefined) => void,
  ): Promise<StoredObject> {
    const previous = this.#objects.get(key);
    try {
      check(previous);
    } catch (error) {
      await this.discard(written.file);
      throw error;
    }
    const lastModified = new Date().toISOString();
    const stored = { key, size: written.size, lastModified, file: written.file, ...object };
    this.#objects.set(key, stored);
    await this.#saveMetadata(stored);
    if (previous) await this.#removeFiles(previous);
    return stored;
  }

  async delete(key: string): Promise<void> {
    const object = this.#objects.get(key);
    this.#objects.delete(key);
    if (object) await this.#removeFiles(object);
  }

  /** The bytes of a written file or object, from an open file: replacing the object does not cut the reader off. */
  async read(object: { readonly file: string }, range?: ByteRange): Promise<Readable> {
    const handle = await open(this.#path(object.file));
    return handle.createReadStream(range ?? {});
  }

  #path(file: string): string {
    return join(this.#directory, file);
  }

  async #saveMetadata(object: StoredObject): Promise<void> {
    const path = `${this.#path(object.file)}.json`;
    await writeFile(`${path}.new`, JSON.stringify(object));
    await rename(`${path}.new`, path);
  }

  async #removeFiles(object: StoredObject): Promise<void> {
    await rm(`${this.#path(object.file)}.json`, { force: true });
    await this.discard(object.file);
  }

  /** Reads the metadata back and removes what a crash left half done. */
  #load(): void {
    const files = readdirSync(this.#directory);
    for (const file of files.filter((name) => name.endsWith('.json'))) {
      const object = objectSchema.parse(JSON.parse(readFileSync(this.#path(file), 'utf8')));
      const known = this.#objects.get(object.key);
      if (!known || known.lastModified <= object.lastModified) this.#objects.set(object.key, object);
    }
    const kept = new Set([...this.#objects.values()].flatMap(({ file }) => [file, `${file}.json`]));
    for (const file of files) if (!kept.has(file)) rmSync(this.#path(file), { force: true });
  }
}
