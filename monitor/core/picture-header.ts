/**
 * What the first bytes of a picture say: its type, and its size before anybody decodes it. What the frame says of the
 * format is not to be trusted, nor is a size any bound of what a decoder would take.
 */

export interface PictureHeader {
  readonly mimeType: 'image/jpeg' | 'image/png';
  /** Longest side in pixels; undefined where the picture cannot be read, or is of a kind that nobody here decodes. */
  readonly side: number | undefined;
}

/** Segments before that of the size; a camera writes a dozen. */
const MAX_SEGMENTS = 200;
const MAX_COMPONENTS = 3;

const numberAt = (bytes: Uint8Array, offset: number, length: number): number =>
  bytes.subarray(offset, offset + length).reduce((sum, byte) => sum * 256 + byte, 0);

const longest = (width: number, height: number): number | undefined =>
  width > 0 && height > 0 ? Math.max(width, height) : undefined;

/** Baseline, extended and progressive; lossless and arithmetic ones are read by hardly anybody. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xc2;

const ENDS = new Set([0xd8, 0xd9, 0xda]);

/** `FF marker length payload`, up to the first frame header: `precision height width components`. */
const jpegSide = (bytes: Uint8Array): number | undefined => {
  let offset = 2;
  for (let count = 0; count < MAX_SEGMENTS && offset + 10 <= bytes.length; count += 1) {
    const [start, marker = 0] = bytes.subarray(offset, offset + 2);
    if (start !== 0xff || ENDS.has(marker)) return undefined;
    if (isFrame(marker)) {
      const components = numberAt(bytes, offset + 9, 1);
      if (components > MAX_COMPONENTS) return undefined;
      return longest(numberAt(bytes, offset + 7, 2), numberAt(bytes, offset + 5, 2));
    }
    offset += 2 + Math.max(2, numberAt(bytes, offset + 2, 2));
  }
  return undefined;
};

/** Signature, then always `IHDR`. An interlaced one may unpack to any size, whatever its header says. */
const pngSide = (bytes: Uint8Array): number | undefined => {
  const isHeader = numberAt(bytes, 12, 4) === 0x49484452;
  if (bytes.length < 29 || !isHeader || bytes[28] !== 0) return undefined;
  return longest(numberAt(bytes, 16, 4), numberAt(bytes, 20, 4));
};

/** Undefined for what is neither JPEG nor PNG. Never throws. */
export const pictureHeader = (bytes: Uint8Array): PictureHeader | undefined => {
  const head = [...bytes.subarray(0, 4)].join();
  if (head.startsWith('255,216,255')) return { mimeType: 'image/jpeg', side: jpegSide(bytes) };
  return head === '137,80,78,71' ? { mimeType: 'image/png', side: pngSide(bytes) } : undefined;
};
