/**
 * Which preview leaves the monitor, and when: of each prompt only the newest is held, at most one picture goes out in
 * two seconds, and none at all while nobody watches: then the control plane is asked now and again, without a picture.
 */
import { MAX_PREVIEW_BYTES } from '../../shared-types/index.ts';
import type { PromptOwner } from './own-jobs.ts';
import { pictureHeader, type PictureHeader } from './picture-header.ts';

/** Milliseconds where not said otherwise. */
export const PREVIEW_LIMITS = {
  pictureEveryMs: 2000,
  askEveryMs: 10_000,
  /** How often, and how long, a prompt is looked up whose owner is not known yet. */
  undecidedEveryMs: 250,
  undecidedMs: 10_000,
  /** Prompts at a time. */
  prompts: 8,
  /** Bytes of a picture that is held, to be made smaller once it is its turn; as much for each prompt. */
  sourceBytes: 4 * 1024 * 1024,
  /** Pixels. What is larger is not unpacked, here or in a browser. */
  maxSide: 2048,
} as const;

export interface Picture {
  readonly nodeId: string | null;
  readonly mimeType: PictureHeader['mimeType'];
  /** May be larger than what is sent. */
  readonly image: Uint8Array;
}

/** A call that is due. */
export interface PreviewCall {
  readonly promptId: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly picture: Picture;
  /** False only asks whether anybody watches; the picture stays held. */
  readonly withPicture: boolean;
}

/** What is dropped is counted under one of these. */
export type PreviewDrop =
  'tooLarge' | 'undecodable' | 'notAPicture' | 'superseded' | 'noJob' | 'tooManyPrompts' | 'shrinkFailed';

export interface PreviewDesk {
  offer(promptId: string, nodeId: string | null, image: Uint8Array, now: number): void;
  /** The call to make now, if there is one. Its answer, or `undefined` for a failure, goes to `answered`. */
  next(now: number): PreviewCall | undefined;
  answered(call: PreviewCall, watchers: number | undefined, startedAt: number): void;
  /** Milliseconds since the epoch of the next call; Infinity when there is nothing to send. */
  dueAt(): number;
}

interface Slot {
  readonly promptId: string;
  readonly since: number;
  held: Picture | undefined;
  watched: boolean;
  dueAt: number;
  /** When the next picture may go at the earliest. */
  pictureAt: number;
}

/** What no decoder is to see, by its first bytes; undefined for a picture that may be held. */
const objectionTo = (image: Uint8Array, header: PictureHeader): PreviewDrop | undefined => {
  if (image.length > PREVIEW_LIMITS.sourceBytes || (header.side ?? 0) > PREVIEW_LIMITS.maxSide)
    return 'tooLarge';
  return image.length > MAX_PREVIEW_BYTES && header.side === undefined ? 'undecodable' : undefined;
};

/** No wait is that long: a clock that was set back must not stop the previews until it has caught up. */
const isLater = (dueAt: number, now: number): boolean =>
  dueAt > now && dueAt <= now + PREVIEW_LIMITS.askEveryMs;

export const createPreviewDesk = (
  ownerOf: (promptId: string) => PromptOwner,
  dropped: (reason: PreviewDrop) => void,
): PreviewDesk => {
  const slots = new Map<string, Slot>();

  const forget = (slot: Slot): void => {
    slots.delete(slot.promptId);
    if (slot.held !== undefined) dropped('noJob');
  };

  /** Ids that nobody knows must not keep the place of a job. */
  const makeRoom = (): boolean => {
    for (const slot of slots.values()) {
      if (slots.size < PREVIEW_LIMITS.prompts) break;
      if (ownerOf(slot.promptId).kind !== 'job') forget(slot);
    }
    return slots.size < PREVIEW_LIMITS.prompts;
  };

  const slotOf = (promptId: string, now: number): Slot | undefined => {
    const known = slots.get(promptId);
    if (known !== undefined || !makeRoom()) return known;
    const slot: Slot = { promptId, since: now, held: undefined, watched: false, dueAt: now, pictureAt: now };
    slots.set(promptId, slot);
    return slot;
  };

  const callOf = (slot: Slot, now: number): PreviewCall | undefined => {
    const { promptId, held, watched } = slot;
    if (held === undefined || isLater(slot.dueAt, now)) return undefined;
    const owner = ownerOf(promptId);
    if (owner.kind === 'job') {
      const { jobId, attempt } = owner;
      return { promptId, jobId, attempt, picture: held, withPicture: watched };
    }
    if (owner.kind === 'none' || now - slot.since > PREVIEW_LIMITS.undecidedMs) forget(slot);
    else slot.dueAt = now + PREVIEW_LIMITS.undecidedEveryMs;
    return undefined;
  };

  const begin = (call: PreviewCall, now: number): PreviewCall => {
    const slot = slots.get(call.promptId);
    if (slot === undefined || !call.withPicture) return call;
    slot.held = undefined;
    slot.pictureAt = now + PREVIEW_LIMITS.pictureEveryMs;
    return call;
  };

  return {
    offer: (promptId, nodeId, image, now) => {
      const header = pictureHeader(image);
      if (header === undefined) return dropped('notAPicture');
      const objection = objectionTo(image, header);
      if (objection !== undefined) return dropped(objection);
      if (ownerOf(promptId).kind === 'none') return dropped('noJob');
      const slot = slotOf(promptId, now);
      if (slot === undefined) return dropped('tooManyPrompts');
      if (slot.held !== undefined) dropped('superseded');
      slot.held = { nodeId, mimeType: header.mimeType, image };
    },
    next: (now) => {
      const inTurn = [...slots.values()].toSorted((a, b) => a.dueAt - b.dueAt);
      for (const slot of inTurn) {
        const call = callOf(slot, now);
        if (call !== undefined) return begin(call, now);
      }
      return undefined;
    },
    answered: ({ promptId }, watchers, startedAt) => {
      const slot = slots.get(promptId);
      if (slot === undefined) return;
      slot.watched = watchers !== undefined && watchers > 0;
      slot.dueAt = slot.watched ? slot.pictureAt : startedAt + PREVIEW_LIMITS.askEveryMs;
    },
    dueAt: () =>
      Math.min(Infinity, ...[...slots.values()].flatMap((slot) => (slot.held ? [slot.dueAt] : []))),
  };
};
