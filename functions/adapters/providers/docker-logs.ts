/** The log of a container without a terminal: frames of an 8-byte head and their text. */

const HEAD_BYTES = 8;
const MAX_LINE_BYTES = 4096;
const STREAMS = new Set([0, 1, 2]);

/**
 * The text of the frames, stdout and stderr as they came; undefined for what is no such stream. The head is the
 * stream (0, 1 or 2), three zeros, and the length as 32 bits, big endian
 * (docs.docker.com/reference/api/engine/version/v1.44, ContainerAttach, "Stream format").
 */
export const demultiplex = (bytes: Buffer): string | undefined => {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const head = bytes.subarray(at, at + HEAD_BYTES);
    if (head.length < HEAD_BYTES || !STREAMS.has(head.readUInt8(0)) || head.readUIntBE(1, 3) !== 0) {
      return undefined;
    }
    const end = at + HEAD_BYTES + head.readUInt32BE(4);
    if (end > bytes.length) return undefined;
    pieces.push(bytes.subarray(at + HEAD_BYTES, end));
    at = end;
  }
  // Decoded as a whole: a character may lie across two frames.
  return new TextDecoder().decode(Buffer.concat(pieces));
};

/** At most 4 KB of UTF-8, and no half character at its end. */
const cutLine = (line: string): string => {
  if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
  const kept = new TextDecoder().decode(Buffer.from(line).subarray(0, MAX_LINE_BYTES - 3));
  return kept.replace(/\uFFFD+$/u, '');
};

/** The last `count` lines, without line ends; a progress bar that redraws itself counts as its last state. */
export const lastLines = (text: string, count: number): string[] => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const shown = lines.slice(Math.max(0, lines.length - count));
  return shown.map((line) => cutLine(line.replace(/\r+$/, '').split('\r').at(-1) ?? ''));
};
