/** ComfyUI's binary frames: a big-endian u32 event, then a payload whose lengths are not to be trusted. */
import { readComfyUiJson } from '../../shared-types/index.ts';
import type { BinaryFrame } from '../core/monitor-input.ts';

const PREVIEW_IMAGE = 1;
const UNENCODED = 2;
const TEXT = 3;
const PREVIEW_WITH_METADATA = 4;
const MAX_METADATA = 64 * 1024;

const invalid = (reason: string): BinaryFrame => ({ kind: 'invalid', reason });

const readPreview = (payload: Buffer): BinaryFrame => {
  if (payload.length < 4) return invalid('preview without a format');
  const format = payload.readUInt32BE(0);
  if (format === 1) return { kind: 'preview', imageType: 'image/jpeg' };
  if (format === 2) return { kind: 'preview', imageType: 'image/png' };
  return invalid(`preview of unknown format ${format}`);
};

/** A length-prefixed head, or undefined where the length lies. */
const readHead = (payload: Buffer, max: number): Buffer | undefined => {
  if (payload.length < 4) return undefined;
  const length = payload.readUInt32BE(0);
  return length > max || length > payload.length - 4 ? undefined : payload.subarray(4, 4 + length);
};

/** The picture of a preview that `readBinaryFrame` took; undefined for any other frame. */
export const pictureOf = (data: Buffer, { kind }: BinaryFrame): Buffer | undefined => {
  if (kind === 'preview') return data.subarray(8);
  // Its head was checked against the length of the frame.
  return kind === 'previewWithMetadata' ? data.subarray(8 + data.readUInt32BE(4)) : undefined;
};

const readText = (payload: Buffer): BinaryFrame => {
  const nodeId = readHead(payload, 512);
  return nodeId === undefined
    ? invalid('text with a wrong length')
    : { kind: 'text', nodeId: nodeId.toString('utf8') };
};

const textOf = (value: object, key: string): string | undefined => {
  const item: unknown = Object.entries(value).find(([name]) => name === key)?.[1];
  return typeof item === 'string' && item.length <= 512 ? item : undefined;
};

const readPreviewWithMetadata = (payload: Buffer): BinaryFrame => {
  const head = readHead(payload, MAX_METADATA);
  if (head === undefined) return invalid('metadata with a wrong length');
  const json = readComfyUiJson(head.toString('utf8'));
  if (json.kind === 'invalid' || typeof json.value !== 'object' || json.value === null) {
    return invalid('metadata that is no JSON object');
  }
  return {
    kind: 'previewWithMetadata',
    promptId: textOf(json.value, 'prompt_id'),
    nodeId: textOf(json.value, 'node_id'),
  };
};

/** Reads the header; the picture itself is `pictureOf`. Never throws. */
export const readBinaryFrame = (data: Buffer): BinaryFrame => {
  if (data.length < 4) return invalid('shorter than its event number');
  const event = data.readUInt32BE(0);
  const payload = data.subarray(4);
  if (event === PREVIEW_IMAGE) return readPreview(payload);
  if (event === UNENCODED) return { kind: 'unencoded' };
  if (event === TEXT) return readText(payload);
  return event === PREVIEW_WITH_METADATA ? readPreviewWithMetadata(payload) : { kind: 'unknown', event };
};
