/** Sends what the preview desk says is due: one call at a time, beside the loop, which never waits for it. */
import { MAX_PREVIEW_BYTES, type PreviewRequest } from '../../shared-types/index.ts';
import type { BinaryFrame } from '../core/monitor-input.ts';
import type { PromptOwner } from '../core/own-jobs.ts';
import {
  createPreviewDesk,
  type PreviewCall,
  type PreviewDesk,
  type PreviewDrop,
} from '../core/preview-desk.ts';
import type { PreviewListener } from './frame-intake.ts';
import type { Metrics } from './metrics.ts';
import type { ShrinkPicture } from './picture-shrinker.ts';

/** Answers how many connections want pictures of the job. Rejects when that could not be found out. */
export type CallPreviewFunction = (request: PreviewRequest, signal: AbortSignal) => Promise<number>;

export interface PreviewSenderOptions {
  readonly workerId: string;
  readonly call: CallPreviewFunction;
  /** Asked for a picture of more than 24 KB that is about to be sent, and for no other. */
  readonly shrink: ShrinkPicture;
  readonly ownerOf: (promptId: string) => PromptOwner;
  /** The own prompt that runs, where it is the only one: a preview of the old kind names none. */
  readonly onlyPrompt: () => string | undefined;
  readonly metrics: Metrics;
  readonly log: { warn(fields: object, message: string): void };
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** No single wait is longer: a clock that was set back cannot stop the previews for ever. */
const MAX_WAIT_MS = 30_000;
const MAX_PROMPT_ID = 128;

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

export class PreviewSender {
  readonly #options: PreviewSenderOptions;
  readonly #desk: PreviewDesk;
  readonly #ending = new AbortController();
  #calling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #told = new Set<string>();

  constructor(options: PreviewSenderOptions) {
    this.#options = options;
    this.#desk = createPreviewDesk(options.ownerOf, (reason) => this.#dropped(reason));
  }

  /** Takes a preview frame and its picture; returns at once. */
  readonly offer: PreviewListener = (frame, picture) => {
    const { onlyPrompt, metrics, now } = this.#options;
    const promptId = promptOf(frame, onlyPrompt);
    if (promptId === undefined || promptId === '' || promptId.length > MAX_PROMPT_ID)
      return metrics.add('previews_dropped_total', 'noJob');
    const nodeId = frame.kind === 'previewWithMetadata' ? (frame.nodeId ?? null) : null;
    this.#desk.offer(promptId, nodeId, picture, now());
    this.#pump();
  };

  /** Gives the call under way up, and waits until it is. */
  async close(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    await this.#calling;
  }

  #pump(): void {
    if (this.#calling !== undefined || this.#ending.signal.aborted) return;
    clearTimeout(this.#timer);
    const { now } = this.#options;
    const call = this.#desk.next(now());
    if (call !== undefined) {
      this.#calling = this.#send(call);
      return;
    }
    const wait = this.#desk.dueAt() - now();
    if (wait === Infinity) return;
    this.#timer = setTimeout(() => this.#pump(), Math.min(Math.max(wait, 0), MAX_WAIT_MS));
  }

  async #send(call: PreviewCall): Promise<void> {
    const startedAt = this.#options.now();
    const watchers = await (isTooLarge(call) ? this.#shrinkAndAsk(call) : this.#ask(call));
    this.#desk.answered(call, watchers, startedAt);
    this.#calling = undefined;
    this.#pump();
  }

  /** Without a picture nothing is asked either: the next question is ten seconds away, as after a failed call. */
  async #shrinkAndAsk(call: PreviewCall): Promise<number | undefined> {
    const image = await this.#shrunk(call.picture.image);
    if (image === undefined || this.#ending.signal.aborted) return undefined;
    return this.#ask({ ...call, picture: { ...call.picture, mimeType: 'image/jpeg', image } });
  }

  async #shrunk(image: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const shrunk = await this.#options.shrink(image, this.#ending.signal);
      if (shrunk.kind === 'fits') {
        this.#options.metrics.add('previews_shrunk_total');
        return shrunk.image;
      }
      this.#dropped(shrunk.kind);
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#shrinkFailed(error);
    }
    return undefined;
  }

  async #ask(call: PreviewCall): Promise<number | undefined> {
    const { call: invoke, metrics, workerId } = this.#options;
    metrics.add(call.withPicture ? 'previews_sent_total' : 'preview_questions_total');
    try {
      return await invoke(requestOf(call, workerId), this.#ending.signal);
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#failed(error);
      return undefined;
    }
  }

  #dropped(reason: PreviewDrop): void {
    this.#options.metrics.add('previews_dropped_total', reason);
  }

  #shrinkFailed(error: unknown): void {
    this.#dropped('shrinkFailed');
    const reason = error instanceof Error ? error.message : typeof error;
    this.#warn({ code: 'monitor.previewNotShrunk', error: reason }, 'a preview could not be made smaller');
  }

  #failed(error: unknown): void {
    this.#options.metrics.add('preview_failures_total', nameOf(error));
    this.#warn({ code: 'monitor.previewFailed', error: nameOf(error) }, 'a preview could not be sent');
  }

  /** Once a code: what follows is only counted. */
  #warn(fields: { readonly code: string; readonly error: string }, message: string): void {
    if (this.#told.has(fields.code)) return;
    this.#told.add(fields.code);
    this.#options.log.warn(fields, `${message}; further ones are only counted`);
  }
}

const isTooLarge = ({ withPicture, picture }: PreviewCall): boolean =>
  withPicture && picture.image.length > MAX_PREVIEW_BYTES;

const promptOf = (frame: BinaryFrame, onlyPrompt: () => string | undefined): string | undefined => {
  if (frame.kind === 'preview') return onlyPrompt();
  return frame.kind === 'previewWithMetadata' ? frame.promptId : undefined;
};

const requestOf = (call: PreviewCall, workerId: string): PreviewRequest => {
  const { jobId, attempt, promptId, picture, withPicture } = call;
  const { nodeId, mimeType, image } = picture;
  const base64 = withPicture ? Buffer.from(image).toString('base64') : null;
  return { jobId, attempt, workerId, promptId, nodeId, mimeType, image: base64 };
};
