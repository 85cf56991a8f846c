/** Bodies of more than a megabyte travel compressed: a Lambda is given 6 MB at most, and workflows shrink to a tenth. */
export interface PackedBody {
  readonly body: BodyInit;
  readonly headers: Readonly<Record<string, string>>;
}

export const COMPRESS_ABOVE_BYTES = 1024 * 1024;
/** What a request may have, compressed or not: the API's own limit. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

const compress = (body: Blob): Promise<Blob> =>
  new Response(body.stream().pipeThrough(new CompressionStream('gzip'))).blob();

/** Undefined when it is too large for a request even so. */
export const packBody = async (text: string): Promise<PackedBody | undefined> => {
  // No character is less than a byte, and most bodies are small: those are sent as they are, uncounted.
  if (text.length <= COMPRESS_ABOVE_BYTES / 3) return { body: text, headers: {} };
  const plain = new Blob([text]);
  if (plain.size <= COMPRESS_ABOVE_BYTES) return { body: text, headers: {} };
  const packed = await compress(plain);
  if (packed.size > MAX_BODY_BYTES) return undefined;
  return { body: await packed.arrayBuffer(), headers: { 'content-encoding': 'gzip' } };
};
