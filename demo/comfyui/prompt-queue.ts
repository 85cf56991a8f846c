/** What waits, what runs, what is over. All in memory, as in the real thing: gone after a crash. */
import type { JsonObject } from './python-json.ts';
import { toDouble } from './python-json.ts';

export interface QueueItem {
  /** As sent or counted; compared as a double. */
  readonly number: unknown;
  readonly promptId: string;
  readonly prompt: JsonObject;
  readonly extraData: JsonObject;
  readonly outputs: readonly string[];
}

export interface HistoryEntry {
  readonly item: QueueItem;
  readonly outputs: ReadonlyMap<string, unknown>;
  readonly meta: ReadonlyMap<string, JsonObject>;
  readonly status: JsonObject;
}

/** Entries are `[number, prompt_id, prompt, extra_data, outputs]`. */
export interface QueueSnapshot {
  readonly queue_running: readonly unknown[][];
  readonly queue_pending: readonly unknown[][];
}

const HISTORY_LIMIT = 10_000;

export class PromptQueue {
  private pending: QueueItem[] = [];
  private running: QueueItem[] = [];
  private readonly finished = new Map<string, HistoryEntry>();
  private wake: (() => void) | undefined;
  private counter = 0;

  /** Counts every request to queue a prompt, refused ones too. */
  nextNumber(): number {
    return this.counter++;
  }

  get remaining(): number {
    return this.pending.length + this.running.length;
  }

  /** Inserts by number, then by id. Says whether the same number and id was waiting already. */
  put(item: QueueItem): { duplicate: boolean } {
    const at = this.pending.findIndex((other) => compareItems(item, other) < 0);
    const duplicate = this.pending.some((other) => compareItems(item, other) === 0);
    this.pending.splice(at < 0 ? this.pending.length : at, 0, item);
    this.wake?.();
    return { duplicate };
  }

  /** The next prompt, now counted as running; null when the signal fires first. */
  async take(signal: AbortSignal): Promise<QueueItem | null> {
    while (!signal.aborted) {
      const item = this.pending.shift();
      if (item) {
        this.running.push(item);
        return item;
      }
      await this.changed(signal);
    }
    return null;
  }

  private changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.wake = undefined;
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.wake = done;
      signal.addEventListener('abort', done);
    });
  }

  finish(entry: HistoryEntry): void {
    this.running = this.running.filter((item) => item !== entry.item);
    this.finished.delete(entry.item.promptId);
    this.finished.set(entry.item.promptId, entry);
    const [oldest] = this.finished.keys();
    if (this.finished.size > HISTORY_LIMIT && oldest !== undefined) this.finished.delete(oldest);
  }

  isRunning(promptId: string): boolean {
    return this.running.some((item) => item.promptId === promptId);
  }

  /** Drops waiting prompts; says how many were found. */
  delete(ids: ReadonlySet<string>): number {
    const before = this.pending.length;
    this.pending = this.pending.filter((item) => !ids.has(item.promptId));
    return before - this.pending.length;
  }

  clear(): void {
    this.pending = [];
  }

  snapshot(): QueueSnapshot {
    return { queue_running: this.running.map(itemTuple), queue_pending: this.pending.map(itemTuple) };
  }

  history(id?: string): Map<string, JsonObject> {
    if (id === undefined) return new Map([...this.finished].map(([key, entry]) => [key, entryJson(entry)]));
    const entry = this.finished.get(id);
    return entry ? new Map([[id, entryJson(entry)]]) : new Map();
  }

  forget(ids: Iterable<string>): void {
    for (const id of ids) this.finished.delete(id);
  }

  forgetAll(): void {
    this.finished.clear();
  }
}

function compareItems(a: QueueItem, b: QueueItem): number {
  const byNumber = toDouble(a.number) - toDouble(b.number);
  if (byNumber !== 0) return byNumber;
  return a.promptId < b.promptId ? -1 : a.promptId > b.promptId ? 1 : 0;
}

function itemTuple(item: QueueItem): unknown[] {
  return [item.number, item.promptId, item.prompt, item.extraData, item.outputs];
}

function entryJson(entry: HistoryEntry): JsonObject {
  return { prompt: itemTuple(entry.item), outputs: entry.outputs, status: entry.status, meta: entry.meta };
}
