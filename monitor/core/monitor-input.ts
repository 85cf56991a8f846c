/** Everything that can happen to a monitor, as facts. The shell records them; only the reducer judges them. */
import type { Frame, HistoryEntry, Queue, SystemStats } from '../../shared-types/index.ts';

export type BinaryFrame =
  | { readonly kind: 'preview'; readonly imageType: 'image/jpeg' | 'image/png' }
  | {
      readonly kind: 'previewWithMetadata';
      readonly promptId: string | undefined;
      readonly nodeId: string | undefined;
    }
  | { readonly kind: 'text'; readonly nodeId: string }
  | { readonly kind: 'unencoded' }
  | { readonly kind: 'unknown'; readonly event: number }
  | { readonly kind: 'invalid'; readonly reason: string };

/** One REST read of ComfyUI. */
export type Poll =
  | { readonly kind: 'systemStats' }
  | { readonly kind: 'objectInfo' }
  | { readonly kind: 'queue' }
  | { readonly kind: 'queueLength' }
  | { readonly kind: 'history'; readonly promptId: string };

/** `refused`: nothing listens, so the process is gone. `unreachable`: no answer in time. `invalid`: no sense in it. */
export type PollFailure = 'refused' | 'unreachable' | 'invalid';

/** `askedAt` (ms since the epoch) is when the request left: an answer says nothing about what came later. */
export type PollResult =
  | { readonly kind: 'systemStats'; readonly askedAt: number; readonly stats: SystemStats }
  | {
      readonly kind: 'objectInfo';
      readonly askedAt: number;
      readonly displayNames: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'queue'; readonly askedAt: number; readonly queue: Queue }
  | { readonly kind: 'queueLength'; readonly askedAt: number; readonly remaining: number }
  | {
      readonly kind: 'history';
      readonly askedAt: number;
      readonly promptId: string;
      readonly entry: HistoryEntry | undefined;
    };

export type MonitorInput =
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'binary'; readonly frame: BinaryFrame }
  | { readonly kind: 'socketOpened' }
  | { readonly kind: 'socketClosed' }
  | { readonly kind: 'poll'; readonly result: PollResult }
  | { readonly kind: 'pollFailed'; readonly poll: Poll; readonly failure: PollFailure }
  | { readonly kind: 'stop'; readonly reason: 'signal' | 'error' }
  | { readonly kind: 'tick' };
