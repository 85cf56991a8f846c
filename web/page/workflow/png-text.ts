/**
 * The texts that a PNG carries beside its picture (tEXt, zTXt, iTXt): ComfyUI keeps the workflow of a picture there.
 * Chunk layout: https://www.w3.org/TR/png-3/#11textinfo
 */

/** More chunks than any picture of ComfyUI has; a file of empty chunks must not keep the page busy. */
const MAX_CHUNKS = 20_000;
const MAX_TEXTS = 32;
/** Bytes of one text, as it is read: the largest workflow that the task API takes. */
export const MAX_TEXT_BYTES = 10 * 1024 * 1024;

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, at) => bytes[at] === byte);

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

const latin1 = new TextDecoder('latin1');
const utf8 = new TextDecoder('utf-8');

/** Length, type, data and checksum again and again; a chunk that leaves the file ends the reading. */
function* chunksOf(bytes: Uint8Array<ArrayBuffer>): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = SIGNATURE.length;
  for (let count = 0; count < MAX_CHUNKS && at + 12 <= bytes.length; count += 1) {
    const length = view.getUint32(at);
    const type = latin1.decode(bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (type === 'IEND' || end + 4 > bytes.length) return;
    yield { type, data: bytes.subarray(at + 8, end) };
    at = end + 4;
  }
}

/** Undefined when it does not unpack, or unpacks to more than a text may have. */
const inflated = async (data: Uint8Array<ArrayBuffer>): Promise<Uint8Array | undefined> => {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.length;
      if (size > MAX_TEXT_BYTES) {
        await reader.cancel();
        return undefined;
      }
      parts.push(part.value);
    }
  } catch {
    return undefined;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

type Text = readonly [keyword: string, text: string];

/** Up to the zero byte, and what follows it. */
const split = (
  data: Uint8Array<ArrayBuffer>,
): [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] | undefined => {
  const zero = data.indexOf(0);
  return zero < 0 ? undefined : [data.subarray(0, zero), data.subarray(zero + 1)];
};

const decoded = (keyword: string, bytes: Uint8Array | undefined, decoder: TextDecoder): Text | undefined =>
  bytes === undefined || bytes.length > MAX_TEXT_BYTES ? undefined : [keyword, decoder.decode(bytes)];

/** Compression flag and method, language, translated keyword, then the text in UTF-8. */
const internationalText = async (
  keyword: string,
  data: Uint8Array<ArrayBuffer>,
): Promise<Text | undefined> => {
  const compressed = data[0] === 1;
  if (data.length < 2 || (compressed && data[1] !== 0)) return undefined;
  const text = split(split(data.subarray(2))?.[1] ?? new Uint8Array())?.[1];
  if (text === undefined) return undefined;
  return decoded(keyword, compressed ? await inflated(text) : text, utf8);
};

const textOfChunk = async ({ type, data }: Chunk): Promise<Text | undefined> => {
  const parts = split(data);
  if (parts === undefined) return undefined;
  const [keyword, rest] = [latin1.decode(parts[0]), parts[1]];
  // The standard says Latin-1; Python's writers escape what is beyond ASCII, other tools write UTF-8.
  if (type === 'tEXt') return decoded(keyword, rest, utf8);
  if (type === 'iTXt') return internationalText(keyword, rest);
  return rest[0] === 0 ? decoded(keyword, await inflated(rest.subarray(1)), utf8) : undefined;
};

const TEXT_TYPES: readonly string[] = ['tEXt', 'zTXt', 'iTXt'];

/**
 * Texts by keyword; of several with the same keyword, the first. What is broken or too long is left out: nothing
 * is thrown, whatever the bytes. Empty for what is no PNG.
 */
export const pngTexts = async (bytes: Uint8Array<ArrayBuffer>): Promise<ReadonlyMap<string, string>> => {
  const texts = new Map<string, string>();
  if (!isPng(bytes)) return texts;
  let read = 0;
  for (const chunk of chunksOf(bytes)) {
    if (!TEXT_TYPES.includes(chunk.type)) continue;
    read += 1;
    if (read > MAX_TEXTS) break;
    const text = await textOfChunk(chunk);
    if (text !== undefined && !texts.has(text[0])) texts.set(...text);
  }
  return texts;
};
