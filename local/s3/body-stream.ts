/**
 * The bytes of an upload, without the framing that SDKs put around them (`aws-chunked`), and with every
 * length and checksum that came along verified: at the end of the iteration, or the iteration throws.
 */
import type { IncomingMessage } from 'node:http';
import { checksumOfHeader, startChecksum } from './checksums.ts';
import type { ChecksumName, RunningChecksum } from './checksums.ts';
import { S3Error, badDigest, incompleteBody, invalidArgument } from './s3-error.ts';

const MAX_LINE_BYTES = 16_384;

/** Lower-case headers, those that a presigned URL carries in its query included. */
export type Headers = Readonly<Record<string, string>>;

export interface VerifiedBody extends AsyncIterable<Buffer> {
  /** Checksum headers to keep with the object, complete after the iteration. */
  readonly checksums: ReadonlyMap<ChecksumName, string>;
}

/** Throws `S3Error` while iterating: IncompleteBody, BadDigest, InvalidDigest, InvalidArgument. */
export function verifiedBody(request: IncomingMessage, headers: Headers): VerifiedBody {
  const expected = new Map<ChecksumName, string>();
  for (const [header, value] of Object.entries(headers)) {
    const name = checksumOfHeader(header);
    if (name !== undefined) expected.set(name, value);
  }
  const md5 = headers['content-md5'];
  if (md5 !== undefined) expected.set('md5', md5);
  const checksums = new Map<ChecksumName, string>();
  return { checksums, [Symbol.asyncIterator]: () => iterate(request, headers, expected, checksums) };
}

async function* iterate(
  request: IncomingMessage,
  headers: Headers,
  expected: Map<ChecksumName, string>,
  checksums: Map<ChecksumName, string>,
): AsyncGenerator<Buffer, void, undefined> {
  const running = new Map([...namesToCompute(headers, expected)].map((name) => [name, startChecksum(name)]));
  const payloadHash = headers['x-amz-content-sha256'] ?? '';
  const signed = /^[0-9a-f]{64}$/.test(payloadHash) ? startChecksum('sha256') : undefined;
  let length = 0;
  for await (const bytes of isChunked(headers) ? unframe(request, expected) : plain(request)) {
    for (const checksum of running.values()) checksum.update(bytes);
    signed?.update(bytes);
    length += bytes.length;
    yield bytes;
  }
  verifyLength(headers, length);
  verifySignedHash(signed, payloadHash);
  verifyChecksums(running, expected, checksums);
}

function namesToCompute(headers: Headers, expected: ReadonlyMap<ChecksumName, string>): Set<ChecksumName> {
  const trailers = (headers['x-amz-trailer'] ?? '').split(',');
  const announced = trailers
    .map((trailer) => checksumOfHeader(trailer.trim()))
    .filter((name) => name !== undefined);
  return new Set([...expected.keys(), ...announced]);
}

function isChunked(headers: Headers): boolean {
  const hash = headers['x-amz-content-sha256'] ?? '';
  return hash.startsWith('STREAMING-') || (headers['content-encoding'] ?? '').includes('aws-chunked');
}

/** A connection that breaks in the middle ends the upload: nothing is stored. */
async function* plain(request: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const bytes of request as AsyncIterable<Buffer>) yield bytes;
  } catch {
    throw incompleteBody();
  }
  if (!request.complete) throw incompleteBody();
}

/** `SIZE[;chunk-signature=…]\r\n BYTES \r\n … 0\r\n [trailer: value\r\n]* \r\n` */
async function* unframe(
  request: IncomingMessage,
  expected: Map<ChecksumName, string>,
): AsyncGenerator<Buffer, void, undefined> {
  const input = new ByteReader(plain(request));
  for (;;) {
    const [size = ''] = (await input.line()).split(';');
    if (!/^[0-9a-fA-F]{1,12}$/.test(size))
      throw new S3Error(400, 'InvalidChunkSizeError', 'A chunk has no size');
    const bytes = Number.parseInt(size, 16);
    if (bytes === 0) break;
    yield* input.exactly(bytes);
    if ((await input.line()) !== '') throw incompleteBody();
  }
  for (let line = await input.lastLine(); line !== ''; line = await input.lastLine()) {
    const colon = line.indexOf(':');
    const name = checksumOfHeader(line.slice(0, colon).trim());
    if (name !== undefined) expected.set(name, line.slice(colon + 1).trim());
  }
  await input.drain();
}

class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf('\r\n');
      if (end >= 0)
        return this.#take(end + 2)
          .subarray(0, -2)
          .toString('latin1');
      if (this.#held.length > MAX_LINE_BYTES) throw invalidArgument('A line of the chunked body is too long');
      if (!(await this.#more())) throw incompleteBody();
    }
  }

  /** As `line`, but the end of the body is an empty line: some clients leave the last one out. */
  async lastLine(): Promise<string> {
    if (this.#held.length === 0 && !(await this.#more())) return '';
    return this.line();
  }

  async *exactly(count: number): AsyncGenerator<Buffer, void, undefined> {
    let left = count;
    while (left > 0) {
      if (this.#held.length === 0 && !(await this.#more())) throw incompleteBody();
      const piece = this.#take(Math.min(left, this.#held.length));
      left -= piece.length;
      yield piece;
    }
  }

  async drain(): Promise<void> {
    while (await this.#more()) this.#held = Buffer.alloc(0);
  }

  #take(count: number): Buffer {
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    this.#held = this.#held.length === 0 ? next.value : Buffer.concat([this.#held, next.value]);
    return true;
  }
}

function verifyLength(headers: Headers, length: number): void {
  const decoded = headers['x-amz-decoded-content-length'];
  if (decoded !== undefined && Number(decoded) !== length) throw incompleteBody();
}

function verifySignedHash(signed: RunningChecksum | undefined, expected: string): void {
  if (signed && Buffer.from(signed.base64(), 'base64').toString('hex') !== expected) {
    throw new S3Error(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
}

function verifyChecksums(
  running: ReadonlyMap<ChecksumName, RunningChecksum>,
  expected: ReadonlyMap<ChecksumName, string>,
  checksums: Map<ChecksumName, string>,
): void {
  for (const [name, value] of expected) {
    const computed = running.get(name)?.base64();
    if (computed !== value) throw badDigest(name === 'md5' ? 'Content-MD5' : name.toUpperCase());
    if (name !== 'md5') checksums.set(name, value);
  }
  for (const name of running.keys()) {
    if (!expected.has(name))
      throw new S3Error(400, 'MalformedTrailerError', `The announced trailer ${name} is missing`);
  }
}
