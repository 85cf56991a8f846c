import { availableParallelism } from 'node:os';
import type { FunctionDefinition } from './function-definition.ts';

/** What the pool has to know of a thread. */
export interface PooledThread {
  readonly functionName: string;
  /** False once it must not be used again. */
  readonly usable: boolean;
  /** Settles once its handler is loaded, or could not be. */
  readonly loaded: Promise<unknown>;
  stop(): Promise<void>;
}

interface Waiter<T> {
  readonly definition: FunctionDefinition;
  readonly since: number;
  readonly take: (thread: T) => void;
  readonly refuse: (error: Error) => void;
}

interface IdleThread<T> {
  readonly thread: T;
  readonly since: number;
}

/**
 * Most handlers end within this many milliseconds, while loading one anew costs more than that in processor time.
 * So a call first waits this long for a thread of its function that is busy, and longer where the machine is so busy
 * itself that loading takes longer: threads that were started because all were slow would make all slower.
 */
const PATIENCE_MS = 400;
const MOST_PATIENCE_MS = 4000;
/** Loading is nothing but work for a processor: more at once would only end later, each of them. */
const LOADS_AT_ONCE = availableParallelism();
/**
 * At the cap a thread makes room only once it has been idle for so long, or for a function that has none at all: when
 * more is asked for than the machine can do, threads that replaced each other would be all that it does.
 */
const SPARE_MS = 1000;
/** So long a function without a thread lets the calls of others have the threads that are warm for them. */
const STARVED_MS = 1000;

/**
 * Threads of all functions together. A warm thread of the function is used again; otherwise one is started, for which
 * the thread of another function that idles longest makes room; at the cap the caller waits its turn.
 */
export class ThreadPool<T extends PooledThread> {
  readonly #cap: number;
  readonly #start: (definition: FunctionDefinition) => T;
  /** Idle threads, the longest idle first. */
  #idle: IdleThread<T>[] = [];
  #waiters: Waiter<T>[] = [];
  readonly #busy = new Set<T>();
  readonly #stale = new WeakSet<T>();
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #loads = 0;
  #patienceMs = PATIENCE_MS;

  constructor(cap: number, start: (definition: FunctionDefinition) => T) {
    this.#cap = cap;
    this.#start = start;
  }

  /** A thread for one invocation; hand it back with `release`. Rejects when the pool closes first. */
  acquire(definition: FunctionDefinition): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ definition, since: performance.now(), take: resolve, refuse: reject });
      this.#serve();
    });
  }

  release(thread: T): void {
    this.#busy.delete(thread);
    if (thread.usable && !this.#stale.has(thread)) this.#idle.push({ thread, since: performance.now() });
    else void thread.stop();
    this.#serve();
  }

  /** From now on new invocations load the code again. */
  retire(): void {
    for (const thread of this.#busy) this.#stale.add(thread);
    for (const { thread } of this.#idle) void thread.stop();
    this.#idle = [];
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { refuse } of this.#waiters.splice(0)) refuse(new Error('The embedded Lambda is closing'));
    const threads = [...this.#idle.map(({ thread }) => thread), ...this.#busy];
    this.#idle = [];
    await Promise.all(threads.map((thread) => thread.stop()));
  }

  #serve(): void {
    if (this.#closed) {
      for (const { refuse } of this.#waiters.splice(0)) refuse(new Error('The embedded Lambda is closed'));
      return;
    }
    this.#idle = this.#idle.filter(({ thread }) => thread.usable);
    this.#serveBy((waiter) => (this.#isStarved(waiter) ? this.#started(waiter) : undefined));
    this.#serveBy((waiter) => this.#warm(waiter));
    this.#serveBy((waiter) => this.#started(waiter));
    this.#serveAgainLater();
  }

  /** Serves every waiter for whom there is a thread, in the order in which they came. */
  #serveBy(threadFor: (waiter: Waiter<T>) => T | undefined): void {
    this.#waiters = this.#waiters.filter((waiter) => {
      const thread = threadFor(waiter);
      if (thread === undefined) return true;
      this.#busy.add(thread);
      waiter.take(thread);
      return false;
    });
  }

  /** What is decided by time is decided again when the next of these times has come. */
  #serveAgainLater(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    const times = [
      ...this.#waiters.flatMap(({ since }) => [since + this.#patienceMs, since + STARVED_MS]),
      ...this.#idle.map(({ since }) => since + SPARE_MS),
    ].filter((time) => time > now);
    if (this.#waiters.length > 0 && times.length > 0)
      this.#timer = setTimeout(() => this.#serve(), Math.min(...times) - now + 1);
  }

  #warm({ definition }: Waiter<T>): T | undefined {
    const at = this.#idle.findLastIndex(({ thread }) => thread.functionName === definition.name);
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0]?.thread;
  }

  #isBusy({ definition: { name } }: Waiter<T>): boolean {
    return [...this.#busy].some((thread) => thread.functionName === name);
  }

  #isStarved(waiter: Waiter<T>): boolean {
    const hasThread =
      this.#isBusy(waiter) || this.#idle.some(({ thread }) => thread.functionName === waiter.definition.name);
    return !hasThread && performance.now() - waiter.since > STARVED_MS;
  }

  #started(waiter: Waiter<T>): T | undefined {
    const now = performance.now();
    const isBusy = this.#isBusy(waiter);
    if (this.#loads >= LOADS_AT_ONCE) return undefined;
    if (isBusy && now - waiter.since < this.#patienceMs) return undefined;
    if (this.#busy.size + this.#idle.length >= this.#cap && !this.#makeRoom(isBusy ? now - SPARE_MS : now))
      return undefined;
    return this.#load(waiter.definition, now);
  }

  #load(definition: FunctionDefinition, since: number): T {
    const thread = this.#start(definition);
    this.#loads += 1;
    void this.#afterLoading(thread, since);
    return thread;
  }

  async #afterLoading({ loaded }: T, since: number): Promise<void> {
    await loaded;
    this.#loads -= 1;
    const tookTwice = 2 * (performance.now() - since);
    this.#patienceMs = Math.min(Math.max(tookTwice, PATIENCE_MS), MOST_PATIENCE_MS);
    this.#serve();
  }

  /** Ends the thread that idles longest, if it has been idle since `idleSince` or before. */
  #makeRoom(idleSince: number): boolean {
    const [longest] = this.#idle;
    if (longest === undefined || longest.since > idleSince) return false;
    this.#idle.shift();
    void longest.thread.stop();
    return true;
  }
}
