import type { FunctionDefinition } from './function-definition.ts';
import type { FunctionThread } from './function-thread.ts';

interface Waiter {
  readonly definition: FunctionDefinition;
  /** Until then a busy thread of the same function is waited for. */
  readonly patientUntil: number;
  readonly take: (thread: FunctionThread) => void;
  readonly refuse: (error: Error) => void;
}

/**
 * Most handlers end within this many milliseconds, while loading one anew costs more than that in processor time.
 * So a call first waits this long for a thread of its function that is busy.
 */
const PATIENCE_MS = 400;

/**
 * Threads of all functions together. A warm thread of the function is used again; otherwise one is started, for which
 * the thread of another function that idles longest makes room; at the cap the caller waits its turn.
 */
export class ThreadPool {
  readonly #cap: number;
  readonly #start: (definition: FunctionDefinition) => FunctionThread;
  /** Idle threads, the longest idle first. */
  #idle: FunctionThread[] = [];
  #waiters: Waiter[] = [];
  readonly #busy = new Set<FunctionThread>();
  readonly #stale = new WeakSet<FunctionThread>();
  #closed = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(cap: number, start: (definition: FunctionDefinition) => FunctionThread) {
    this.#cap = cap;
    this.#start = start;
  }

  /** A thread for one invocation; hand it back with `release`. Rejects when the pool closes first. */
  acquire(definition: FunctionDefinition): Promise<FunctionThread> {
    return new Promise((resolve, reject) => {
      const patientUntil = performance.now() + PATIENCE_MS;
      this.#waiters.push({ definition, patientUntil, take: resolve, refuse: reject });
      this.#serve();
    });
  }

  release(thread: FunctionThread): void {
    this.#busy.delete(thread);
    if (thread.usable && !this.#stale.has(thread)) this.#idle.push(thread);
    else void thread.stop();
    this.#serve();
  }

  /** From now on new invocations load the code again. */
  retire(): void {
    for (const thread of this.#busy) this.#stale.add(thread);
    for (const thread of this.#idle) void thread.stop();
    this.#idle = [];
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#patience);
    for (const { refuse } of this.#waiters.splice(0)) refuse(new Error('The embedded Lambda is closing'));
    const threads = [...this.#idle, ...this.#busy];
    this.#idle = [];
    await Promise.all(threads.map((thread) => thread.stop()));
  }

  #serve(): void {
    const stillWaiting: Waiter[] = [];
    for (const waiter of this.#waiters) {
      const thread = this.#closed ? undefined : this.#threadFor(waiter);
      if (!thread) stillWaiting.push(waiter);
      else {
        this.#busy.add(thread);
        waiter.take(thread);
      }
    }
    this.#waiters = stillWaiting;
    this.#serveWhenPatienceEnds();
    if (this.#closed)
      for (const { refuse } of this.#waiters.splice(0)) refuse(new Error('The embedded Lambda is closed'));
  }

  #serveWhenPatienceEnds(): void {
    clearTimeout(this.#patience);
    const now = performance.now();
    const ends = this.#waiters.map(({ patientUntil }) => patientUntil).filter((until) => until > now);
    if (ends.length > 0) this.#patience = setTimeout(() => this.#serve(), Math.min(...ends) - now + 1);
  }

  #isBusy({ name }: FunctionDefinition): boolean {
    return [...this.#busy].some((thread) => thread.functionName === name);
  }

  #threadFor({ definition, patientUntil }: Waiter): FunctionThread | undefined {
    this.#idle = this.#idle.filter((thread) => thread.usable);
    const warm = this.#idle.findLastIndex((thread) => thread.functionName === definition.name);
    if (warm >= 0) return this.#idle.splice(warm, 1)[0];
    if (patientUntil > performance.now() && this.#isBusy(definition)) return undefined;
    if (this.#busy.size + this.#idle.length >= this.#cap) {
      const evicted = this.#idle.shift();
      if (!evicted) return undefined;
      void evicted.stop();
    }
    return this.#start(definition);
  }
}
