/**
 * From bytes of the socket to facts. `progress_state` repeats every started node in every frame (megabytes for large
 * graphs), so of several large ones of one prompt only the first and the latest in an interval are parsed: each holds
 * all that the skipped ones held.
 */
import { readComfyUiJson, readFrame } from '../../shared-types/index.ts';
import type { BinaryFrame, MonitorInput } from '../core/monitor-input.ts';
import { pictureOf, readBinaryFrame } from './binary-frame.ts';
import type { FrameGuard } from './frame-guard.ts';
import type { Metrics } from './metrics.ts';

/** Smaller frames cost less to parse than to hold. Bytes. */
const LARGE = 8192;
const INTERVAL_MS = 250;
const PROGRESS_STATE = /^\{"type": ?"progress_state", ?"data": ?\{"prompt_id": ?"([^"\\]{1,128})"/;
/** Frames that end a prompt: what is held has to be told before them. */
const ENDS =
  /^\{"type": ?"(?:execution_success|execution_error|execution_interrupted|executing", ?"data": ?\{"node": ?null)/;

interface Slot {
  readonly promptId: string;
  readonly parsedAt: number;
  readonly held: Buffer | undefined;
}

export interface FrameIntake {
  /** The facts that a frame amounts to, in order. Never throws. `now`: ms since the epoch. */
  read(data: Buffer, isBinary: boolean, now: number): MonitorInput[];
  /** The held frame, once its interval is over (or at once when `force`). */
  release(now: number, force?: boolean): MonitorInput[];
  /** When `release` has something to give, or Infinity. */
  dueAt(): number;
}

/** Takes the picture of a preview; must not block. */
export type PreviewListener = (frame: BinaryFrame, picture: Buffer) => void;

/** `readJson` makes JSON of a frame's text; default: as ComfyUI writes it. */
export const createFrameIntake = (
  metrics: Metrics,
  guard: FrameGuard,
  readJson: typeof readComfyUiJson = readComfyUiJson,
  onPreview?: PreviewListener,
): FrameIntake => {
  let slot: Slot | undefined;

  const parseText = (data: Buffer): MonitorInput[] => {
    const json = readJson(data.toString('utf8'));
    if (json.kind === 'ok' && json.repaired) metrics.add('frames_repaired_total');
    const reading = json.kind === 'ok' ? readFrame(json.value) : json;
    if (reading.kind === 'invalid') {
      metrics.add('frames_invalid_total');
      return [];
    }
    metrics.add('frames_total', reading.kind === 'frame' ? reading.frame.type : `other ${reading.type}`);
    return reading.kind === 'frame' ? [{ kind: 'frame', frame: reading.frame }] : [];
  };

  const parse = (data: Buffer): MonitorInput[] => guard('text', () => parseText(data)) ?? [];

  const release = (now: number, force = false): MonitorInput[] => {
    const held = slot?.held;
    if (slot === undefined || held === undefined) return [];
    if (!force && now < slot.parsedAt + INTERVAL_MS) return [];
    slot = { promptId: slot.promptId, parsedAt: now, held: undefined };
    return parse(held);
  };

  const readLarge = (data: Buffer, promptId: string, now: number): MonitorInput[] => {
    const before = slot !== undefined && slot.promptId !== promptId ? release(now, true) : [];
    if (slot?.promptId === promptId && now < slot.parsedAt + INTERVAL_MS) {
      if (slot.held !== undefined) metrics.add('frames_coalesced_total');
      slot = { ...slot, held: data };
      return before;
    }
    slot = { promptId, parsedAt: now, held: undefined };
    return [...before, ...parse(data)];
  };

  const parseBinary = (data: Buffer): MonitorInput[] => {
    const frame = readBinaryFrame(data);
    const picture = onPreview === undefined ? undefined : pictureOf(data, frame);
    if (picture !== undefined) onPreview?.(frame, picture);
    return [{ kind: 'binary', frame }];
  };

  const readText = (data: Buffer, now: number): MonitorInput[] => {
    const head = data.subarray(0, 256).toString('latin1');
    const promptId = data.length < LARGE ? undefined : PROGRESS_STATE.exec(head)?.[1];
    if (promptId !== undefined) return readLarge(data, promptId, now);
    const before = ENDS.test(head) ? release(now, true) : [];
    return [...before, ...parse(data)];
  };

  return {
    read: (data, isBinary, now) => {
      if (!isBinary) return readText(data, now);
      metrics.add('frames_total', 'binary');
      return guard('binary', () => parseBinary(data)) ?? [];
    },
    release,
    dueAt: () => (slot?.held === undefined ? Infinity : slot.parsedAt + INTERVAL_MS),
  };
};
