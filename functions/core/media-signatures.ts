/** What the first bytes of a file say it is. Names and keys lie: ComfyUI lists videos under `images`. */
import type { StoredOutput } from '../../shared-types/index.ts';

export interface MediaFormat {
  readonly mimeType: string;
  readonly kind: StoredOutput['kind'];
}

const format = (mimeType: string, kind: MediaFormat['kind']): MediaFormat => ({ mimeType, kind });

const ascii = (head: Buffer, start: number, end: number): string => head.toString('latin1', start, end);

/** An APNG announces its animation in a chunk before the first picture data. */
const pngFormat = (head: Buffer): MediaFormat => {
  let offset = 8;
  while (offset + 8 <= head.length) {
    const chunk = ascii(head, offset + 4, offset + 8);
    if (chunk === 'acTL') return format('image/apng', 'animated');
    if (chunk === 'IDAT') break;
    offset += 12 + head.readUInt32BE(offset);
  }
  return format('image/png', 'image');
};

const WEBP_ANIMATION_FLAG = 0x02;

const riffFormat = (head: Buffer): MediaFormat | undefined => {
  switch (ascii(head, 8, 12)) {
    case 'WEBP': {
      const isExtended = ascii(head, 12, 16) === 'VP8X' && head.length > 20;
      const isAnimated = isExtended && (head.readUInt8(20) & WEBP_ANIMATION_FLAG) !== 0;
      return format('image/webp', isAnimated ? 'animated' : 'image');
    }
    case 'WAVE':
      return format('audio/wav', 'audio');
    case 'AVI ':
      return format('video/x-msvideo', 'video');
    default:
      return undefined;
  }
};

const BRANDS: Readonly<Record<string, MediaFormat>> = {
  avif: format('image/avif', 'image'),
  avis: format('image/avif', 'animated'),
  heic: format('image/heic', 'image'),
  heix: format('image/heic', 'image'),
  mif1: format('image/heif', 'image'),
  'qt  ': format('video/quicktime', 'video'),
  'M4A ': format('audio/mp4', 'audio'),
};

const isoFormat = (head: Buffer): MediaFormat => BRANDS[ascii(head, 8, 12)] ?? format('video/mp4', 'video');

const matroskaFormat = (head: Buffer): MediaFormat =>
  ascii(head, 0, 128).includes('webm') ? format('video/webm', 'video') : format('video/x-matroska', 'video');

const oggFormat = (head: Buffer): MediaFormat =>
  ascii(head, 0, 128).includes('theora') ? format('video/ogg', 'video') : format('audio/ogg', 'audio');

interface Signature {
  readonly at?: number;
  readonly bytes: string;
  readonly read: (head: Buffer) => MediaFormat | undefined;
}

const is = (mimeType: string, kind: MediaFormat['kind']) => () => format(mimeType, kind);

const SIGNATURES: readonly Signature[] = [
  { bytes: '\x89PNG\r\n\x1a\n', read: pngFormat },
  { bytes: '\xff\xd8\xff', read: is('image/jpeg', 'image') },
  { bytes: 'GIF87a', read: is('image/gif', 'animated') },
  { bytes: 'GIF89a', read: is('image/gif', 'animated') },
  { bytes: 'RIFF', read: riffFormat },
  { at: 4, bytes: 'ftyp', read: isoFormat },
  { bytes: '\x1a\x45\xdf\xa3', read: matroskaFormat },
  { bytes: 'OggS', read: oggFormat },
  { bytes: 'fLaC', read: is('audio/flac', 'audio') },
  { bytes: 'ID3', read: is('audio/mpeg', 'audio') },
  { bytes: 'glTF', read: is('model/gltf-binary', 'model') },
  {
    bytes: 'BM',
    read: (head) =>
      head.length > 14 && head.readUInt32LE(6) === 0 ? format('image/bmp', 'image') : undefined,
  },
  { bytes: 'II*\0', read: is('image/tiff', 'image') },
  { bytes: 'MM\0*', read: is('image/tiff', 'image') },
  { bytes: '\x76\x2f\x31\x01', read: is('image/x-exr', 'image') },
  { bytes: '%PDF-', read: is('application/pdf', 'file') },
  { bytes: 'PK\x03\x04', read: is('application/zip', 'file') },
  { bytes: '\x1f\x8b', read: is('application/gzip', 'file') },
];

/** An MPEG audio frame without an ID3 tag: 11 set bits, a known version, layer III, known bit and sample rates. */
const isMp3Frame = (head: Buffer): boolean =>
  head.length > 3 &&
  head.readUInt8(0) === 0xff &&
  (head.readUInt8(1) & 0xe6) === 0xe2 &&
  (head.readUInt8(1) & 0x18) !== 0x08 &&
  (head.readUInt8(2) & 0xf0) !== 0xf0 &&
  (head.readUInt8(2) & 0x0c) !== 0x0c;

/** Undefined when no signature is known. */
export const binaryFormatOf = (head: Buffer): MediaFormat | undefined => {
  for (const { at = 0, bytes, read } of SIGNATURES) {
    const found = ascii(head, at, at + bytes.length) === bytes ? read(head) : undefined;
    if (found !== undefined) return found;
  }
  return isMp3Frame(head) ? format('audio/mpeg', 'audio') : undefined;
};

/**
 * The head as text, or undefined when it is no UTF-8 or holds control characters. A character that the end of
 * the head cuts is no error.
 */
export const textOf = (head: Buffer): string | undefined => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    // oxlint-disable-next-line no-control-regex -- control characters tell binary from text
    return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
};
