/** One standard queue: delays, visibility, receive counts and the way to the dead-letter queue. */
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { messageAttributeSchema } from './message-digest.ts';

export const messageSchema = z.object({
  id: z.string(),
  body: z.string(),
  messageAttributes: z.record(z.string(), messageAttributeSchema),
  sentAt: z.number(),
  /** Not received before this time; milliseconds since 1970, as all times here. */
  visibleAt: z.number(),
  receiveCount: z.number(),
  firstReceivedAt: z.number().optional(),
  receiptHandle: z.string().optional(),
  deadLetterSourceArn: z.string().optional(),
});
export type Message = z.infer<typeof messageSchema>;

export interface QueueSettings {
  readonly visibilityTimeoutSeconds: number;
  readonly delaySeconds: number;
  readonly retentionSeconds: number;
  readonly waitSeconds: number;
  readonly maxMessageBytes: number;
  readonly redrive?: { readonly deadLetterTargetArn: string; readonly maxReceiveCount: number } | undefined;
}

/** Takes a message that was received too often. False when there is no such queue: the message then stays. */
export type DeadLetter = (queueArn: string, message: Message) => boolean;

/** setTimeout takes 31 bits. */
const MAX_TIMEOUT_MS = 2_147_483_647;

export class MessageQueue {
  readonly name: string;
  readonly arn: string;
  readonly settings: QueueSettings;
  readonly createdAt = Date.now();
  readonly #deadLetter: DeadLetter;
  readonly #changed: () => void;
  #messages = new Map<string, Message>();
  readonly #waiters = new Set<() => void>();

  constructor(options: {
    name: string;
    arn: string;
    settings: QueueSettings;
    deadLetter: DeadLetter;
    /** Called after each change, to have it kept. */
    changed: () => void;
    messages?: readonly Message[];
  }) {
    this.name = options.name;
    this.arn = options.arn;
    this.settings = options.settings;
    this.#deadLetter = options.deadLetter;
    this.#changed = options.changed;
    for (const message of options.messages ?? []) this.#messages.set(message.id, message);
  }

  /** What a restart needs to know. */
  snapshot(): readonly Message[] {
    return [...this.#messages.values()];
  }

  send(
    body: string,
    messageAttributes: Message['messageAttributes'],
    delaySeconds = this.settings.delaySeconds,
  ): Message {
    const now = Date.now();
    const message = {
      id: randomUUID(),
      body,
      messageAttributes,
      sentAt: now,
      visibleAt: now + delaySeconds * 1000,
      receiveCount: 0,
    };
    this.put(message);
    return message;
  }

  put(message: Message): void {
    this.#messages.set(message.id, message);
    this.#touch();
  }

  /** Waits until there is something, at most `waitMs`. An aborted wait receives nothing and hides nothing. */
  async receive(
    max: number,
    waitMs: number,
    visibilitySeconds: number | undefined,
    signal?: AbortSignal,
  ): Promise<Message[]> {
    const until = Date.now() + waitMs;
    for (;;) {
      if (signal?.aborted === true) return [];
      const received = this.#take(max, visibilitySeconds ?? this.settings.visibilityTimeoutSeconds);
      const leftMs = until - Date.now();
      if (received.length > 0 || leftMs <= 0) return received;
      await this.#change(Math.min(leftMs, this.#nextVisibleInMs()), signal);
    }
  }

  /** True also for a message that is gone already; false for a handle that never was one of this queue. */
  remove(receiptHandle: string): boolean {
    const id = messageId(receiptHandle);
    if (id === undefined) return false;
    if (this.#messages.delete(id)) this.#touch();
    return true;
  }

  /** False when the message is not in flight. */
  changeVisibility(receiptHandle: string, seconds: number): boolean {
    const message = this.#messages.get(messageId(receiptHandle) ?? '');
    if (message?.receiptHandle !== receiptHandle || message.visibleAt <= Date.now()) return false;
    message.visibleAt = Date.now() + seconds * 1000;
    this.#touch();
    return true;
  }

  purge(): void {
    this.#messages = new Map();
    this.#touch();
  }

  counts(): { visible: number; inFlight: number; delayed: number } {
    this.#expire();
    const now = Date.now();
    const hidden = [...this.#messages.values()].filter((message) => message.visibleAt > now);
    const inFlight = hidden.filter((message) => message.receiveCount > 0).length;
    return { visible: this.#messages.size - hidden.length, inFlight, delayed: hidden.length - inFlight };
  }

  /** Lets every waiting receiver look again, as the end of the service does. */
  wake(): void {
    for (const waiter of this.#waiters) waiter();
  }

  #touch(): void {
    this.#changed();
    this.wake();
  }

  #take(max: number, visibilitySeconds: number): Message[] {
    this.#expire();
    const now = Date.now();
    const taken: Message[] = [];
    for (const message of this.#messages.values()) {
      if (taken.length >= max) break;
      if (message.visibleAt > now || this.#redriven(message)) continue;
      message.receiveCount += 1;
      message.firstReceivedAt ??= now;
      message.receiptHandle = `${message.id}.${randomUUID()}`;
      message.visibleAt = now + visibilitySeconds * 1000;
      taken.push({ ...message });
    }
    if (taken.length > 0) this.#changed();
    return taken;
  }

  /** Moves a message that was received as often as the redrive policy allows. */
  #redriven(message: Message): boolean {
    const { redrive } = this.settings;
    if (!redrive || message.receiveCount < redrive.maxReceiveCount) return false;
    const moved = { ...message, visibleAt: 0, receiveCount: 0, deadLetterSourceArn: this.arn };
    if (!this.#deadLetter(redrive.deadLetterTargetArn, moved)) return false;
    this.#messages.delete(message.id);
    this.#changed();
    return true;
  }

  #expire(): void {
    const oldest = Date.now() - this.settings.retentionSeconds * 1000;
    for (const message of this.#messages.values())
      if (message.sentAt < oldest) this.#messages.delete(message.id);
  }

  #nextVisibleInMs(): number {
    const now = Date.now();
    const times = [...this.#messages.values()]
      .map((message) => message.visibleAt)
      .filter((time) => time > now);
    return times.length === 0 ? MAX_TIMEOUT_MS : Math.min(...times) - now;
  }

  async #change(ms: number, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(Math.max(ms, 1), MAX_TIMEOUT_MS));
      this.#waiters.add(done);
      signal?.addEventListener('abort', done);
    });
  }
}

function messageId(receiptHandle: string): string | undefined {
  return /^([0-9a-f-]{36})\.[0-9a-f-]{36}$/.exec(receiptHandle)?.[1];
}
