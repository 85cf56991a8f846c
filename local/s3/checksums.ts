/** The checksums that S3 clients send: computed while the bytes pass, compared at the end. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export type ChecksumName = 'crc32' | 'crc32c' | 'crc64nvme' | 'sha1' | 'sha256' | 'md5';

export interface RunningChecksum {
  update(bytes: Buffer): void;
  /** Base64 of the big-endian value. */
  base64(): string;
}

const HEADER_PREFIX = 'x-amz-checksum-';

/** The algorithm of `x-amz-checksum-crc32` and its kin; undefined for other headers. */
export function checksumOfHeader(header: string): ChecksumName | undefined {
  const name = header.toLowerCase().startsWith(HEADER_PREFIX)
    ? header.slice(HEADER_PREFIX.length).toLowerCase()
    : '';
  return ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'].includes(name)
    ? (name as ChecksumName)
    : undefined;
}

export function startChecksum(name: ChecksumName): RunningChecksum {
  if (name === 'crc32') return running32((bytes, value) => crc32(bytes, value));
  if (name === 'crc32c') return running32(crc32c);
  if (name === 'crc64nvme') return runningCrc64();
  const hash = createHash(name);
  return { update: (bytes) => void hash.update(bytes), base64: () => hash.digest('base64') };
}

function running32(step: (bytes: Buffer, value: number) => number): RunningChecksum {
  let value = 0;
  return {
    update: (bytes) => {
      value = step(bytes, value);
    },
    base64: () => {
      const out = Buffer.alloc(4);
      out.writeUInt32BE(value >>> 0);
      return out.toString('base64');
    },
  };
}

/** Castagnoli polynomial, reflected. */
const CRC32C = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

function crc32c(bytes: Buffer, previous: number): number {
  let value = ~previous;
  for (const byte of bytes) value = (CRC32C[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return ~value >>> 0;
}

/** CRC-64/NVME, reflected; the table holds high and low halves, as BigInt would be a hundred times slower. */
const CRC64 = Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index);
  for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ 0x9a6c9329ac4bc9b5n : value >> 1n;
  return value;
});
const CRC64_HIGH = Uint32Array.from(CRC64, (value) => Number(value >> 32n));
const CRC64_LOW = Uint32Array.from(CRC64, (value) => Number(value & 0xffffffffn));

function runningCrc64(): RunningChecksum {
  let high = 0xffffffff;
  let low = 0xffffffff;
  return {
    update: (bytes) => {
      for (const byte of bytes) {
        const index = (low ^ byte) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ (CRC64_LOW[index] ?? 0);
        high = (high >>> 8) ^ (CRC64_HIGH[index] ?? 0);
      }
    },
    base64: () => {
      const out = Buffer.alloc(8);
      out.writeUInt32BE(~high >>> 0, 0);
      out.writeUInt32BE(~low >>> 0, 4);
      return out.toString('base64');
    },
  };
}
