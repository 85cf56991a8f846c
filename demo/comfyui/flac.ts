import type { AudioValue } from './values.ts';

const BLOCK = 4096;

/** A FLAC file with uncompressed ("verbatim") 16-bit blocks: valid, simple, and no smaller than a WAV. */
export function encodeFlac(audio: AudioValue, hertz = 440): Buffer {
  const samples = Math.max(1, Math.round(audio.seconds * audio.sampleRate));
  const parts = [Buffer.from('fLaC', 'latin1'), streamInfo(audio, samples)];
  for (let at = 0, frame = 0; at < samples; at += BLOCK, frame++) {
    parts.push(encodeFrame(audio, hertz, at, Math.min(BLOCK, samples - at), frame));
  }
  return Buffer.concat(parts);
}

function streamInfo(audio: AudioValue, samples: number): Buffer {
  const block = Buffer.alloc(38);
  block.writeUInt32BE(0x80000022, 0);
  block.writeUInt16BE(BLOCK, 4);
  block.writeUInt16BE(BLOCK, 6);
  const packed =
    (BigInt(audio.sampleRate) << 44n) | (BigInt(audio.channels - 1) << 41n) | (15n << 36n) | BigInt(samples);
  block.writeBigUInt64BE(packed, 14);
  return block;
}

const twoBytes = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];

/**
 * In each frame, too: browsers, which decode by FFmpeg, take the time of the last frame from it, and play nothing where
 * it only stands at the beginning of the file. In Hz, or in tens of them where that does not fit.
 */
function codedRate(hertz: number): { code: number; bytes: number[] } {
  if (hertz <= 0xffff) return { code: 0x0d, bytes: twoBytes(hertz) };
  return { code: 0x0e, bytes: twoBytes(Math.round(hertz / 10)) };
}

function encodeFrame(audio: AudioValue, hertz: number, from: number, count: number, frame: number): Buffer {
  const number = frame < 0x80 ? [frame] : [0xc0 | (frame >> 6), 0x80 | (frame & 0x3f)];
  const rate = codedRate(audio.sampleRate);
  const head = [0xff, 0xf8, 0x70 | rate.code, ((audio.channels - 1) << 4) | 0x08, ...number];
  head.push(...twoBytes(count - 1), ...rate.bytes);
  const header = Buffer.from([...head, crc(head, 8, 0x07)]);
  const body = Buffer.alloc(audio.channels * (1 + count * 2));
  for (let c = 0, at = 0; c < audio.channels; c++) {
    body[at++] = 0x02;
    for (let i = 0; i < count; i++, at += 2) {
      const phase = ((from + i) / audio.sampleRate) * hertz * 2 * Math.PI;
      body.writeInt16BE(Math.round(Math.sin(phase) * 6000), at);
    }
  }
  const frameBytes = Buffer.concat([header, body]);
  const tail = Buffer.alloc(2);
  tail.writeUInt16BE(crc(frameBytes, 16, 0x8005), 0);
  return Buffer.concat([frameBytes, tail]);
}

/** CRC, most significant bit first, starting at 0. */
function crc(bytes: Iterable<number>, width: 8 | 16, polynomial: number): number {
  const top = 1 << (width - 1);
  const mask = (1 << width) - 1;
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << (width - 8);
    for (let bit = 0; bit < 8; bit++) {
      value = (value & top ? (value << 1) ^ polynomial : value << 1) & mask;
    }
  }
  return value;
}
