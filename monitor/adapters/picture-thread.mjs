/**
 * Runs inside a thread: makes a picture small enough, one at a time. Decoding and encoding one of 512 x 512 pixels in
 * JavaScript takes some 70 ms, in which the monitor must go on reading frames.
 * Plain JavaScript, so that a thread starts without a compiler.
 */
import { parentPort, workerData } from 'node:worker_threads';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';

/** @type {{maxBytes: number, maxSide: number}} */
const { maxBytes, maxSide } = workerData;

/** Longest side in pixels, and quality: the first that fits is taken. */
const TRIES = [
  [512, 65],
  [512, 50],
  [320, 60],
  [256, 50],
  [128, 50],
];

/** The second guard against bombs, after the header: what a decoder may take whatever the header said. */
const LIMITS = { maxResolutionInMP: (maxSide * maxSide) / 1e6, maxMemoryUsageInMB: 128 };

/**
 * @typedef {{data: Uint8Array, width: number, height: number}} Pixels four bytes each
 * @param {Buffer} bytes
 * @returns {Pixels}
 */
const decoded = (bytes) =>
  bytes[0] === 0x89
    ? PNG.sync.read(bytes)
    : jpeg.decode(bytes, { useTArray: true, tolerantDecoding: false, ...LIMITS });

/**
 * Each pixel is the mean of those that it stands for: leaving some out would make noise of fine lines.
 * @param {Pixels} from
 * @param {number} side
 * @returns {Pixels}
 */
const scaled = (from, side) => {
  const scale = Math.min(1, side / Math.max(from.width, from.height));
  const width = Math.max(1, Math.round(from.width * scale));
  const height = Math.max(1, Math.round(from.height * scale));
  if (width === from.width && height === from.height) return from;
  const data = new Uint8Array(width * height * 4).fill(255);
  const columns = edges(from.width, width);
  const rows = edges(from.height, height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      for (let channel = 0; channel < 3; channel += 1)
        data[(y * width + x) * 4 + channel] = meanOf(from, columns[x], rows[y], channel);
  return { data, width, height };
};

/**
 * For each of `count` pixels, the first and the end of those of `size` that it stands for.
 * @param {number} size
 * @param {number} count
 */
const edges = (size, count) =>
  Array.from({ length: count }, (_, index) => {
    const first = Math.floor((index * size) / count);
    return [first, Math.max(first + 1, Math.floor(((index + 1) * size) / count))];
  });

/**
 * @param {Pixels} from
 * @param {number[]} columns
 * @param {number[]} rows
 * @param {number} channel
 */
const meanOf = ({ data, width }, [left, right], [top, bottom], channel) => {
  let sum = 0;
  for (let y = top; y < bottom; y += 1)
    for (let x = left; x < right; x += 1) sum += data[(y * width + x) * 4 + channel];
  return Math.round(sum / ((right - left) * (bottom - top)));
};

/** @param {Pixels} pixels */
const fitting = (pixels) => {
  for (const [side, quality] of TRIES) {
    const { data } = jpeg.encode(scaled(pixels, side), quality);
    if (data.length <= maxBytes) return { kind: 'fits', image: new Uint8Array(data) };
  }
  return { kind: 'tooLarge' };
};

/** @param {Uint8Array} image */
const answerTo = (image) => {
  try {
    return fitting(decoded(Buffer.from(image.buffer)));
  } catch {
    return { kind: 'undecodable' };
  }
};

const reply = parentPort.postMessage.bind(parentPort);
parentPort.on('message', (image) => reply(answerTo(image)));
