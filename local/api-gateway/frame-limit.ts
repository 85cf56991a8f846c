/**
 * Follows the frame headers of a client's byte stream, because API Gateway limits single frames (32 KB) and not only
 * whole messages (128 KB), and the socket library reports only whole messages.
 */
export class FrameLimit {
  readonly #maxBytes: number;
  #header: number[] = [];
  #payloadLeft = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False as soon as a frame announces more than the limit. */
  accepts(chunk: Buffer): boolean {
    let offset = 0;
    while (offset < chunk.length) {
      const skipped = Math.min(this.#payloadLeft, chunk.length - offset);
      this.#payloadLeft -= skipped;
      offset += skipped;
      const byte = chunk[offset];
      if (byte === undefined) return true;
      this.#header.push(byte);
      offset += 1;
      if (!this.#finishHeader()) return false;
    }
    return true;
  }

  /** False when the header is complete and its frame too long. */
  #finishHeader(): boolean {
    const second = this.#header[1];
    if (second === undefined) return true;
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const maskBytes = (second & 0x80) === 0 ? 0 : 4;
    if (this.#header.length < 2 + lengthBytes + maskBytes) return true;
    const extended = this.#header.slice(2, 2 + lengthBytes);
    const length = lengthBytes === 0 ? short : extended.reduce((sum, byte) => sum * 256 + byte, 0);
    this.#header = [];
    this.#payloadLeft = length;
    return length <= this.#maxBytes;
  }
}
