/**
 * Decides what goes wrong, from a seed. Every service (and every kind of delivery) draws from a stream of its own, so
 * what happens to the n-th call of one service does not depend on how the calls of the others interleave with it.
 */

/** Rates are probabilities from 0 to 1; a missing rate is 0. Times are milliseconds. */
export interface ChaosOptions {
  /** Same seed, same order of calls: same faults. Any integer. */
  readonly seed: number;
  /** Extra time a call or delivery takes, drawn evenly from `min` to `max`. */
  readonly latencyMs?: { readonly min: number; readonly max: number };
  /** Share of calls and deliveries that get `latencyMs`. Default 1 when `latencyMs` is given. */
  readonly delayRate?: number;
  /** Share of calls that answer an error (half of them although the work was done), and of deliveries whose attempt errors. */
  readonly failRate?: number;
  /** Share of deliveries that arrive twice. */
  readonly duplicateRate?: number;
  /** `rate` of the deliveries are held back up to `windowMs`, so that later ones overtake them. */
  readonly reorder?: { readonly rate: number; readonly windowMs: number };
  /** Signing names to trouble: `events`, `lambda`, `dynamodb`, … Missing means all. */
  readonly services?: readonly string[];
}

/** What happens to one delivery: `delaysMs` has one entry per copy, and `fail` errors the attempt so it is retried. */
export interface DeliveryFate {
  readonly copies: number;
  readonly delaysMs: readonly number[];
  readonly fail: boolean;
  /** With `fail`: the receiver did its work all the same, as when a function ends it and then times out. */
  readonly failsAfterWork?: boolean;
}

/** What happens to one API call: `after` means that the work is done and the caller sees an error all the same. */
export interface CallFate {
  readonly delayMs: number;
  readonly fail: 'none' | 'before' | 'after';
}

type Draw = () => number;

export class Chaos {
  readonly #options: ChaosOptions;
  readonly #streams = new Map<string, Draw>();

  constructor(options: ChaosOptions = { seed: 0 }) {
    assertRates(options);
    this.#options = options;
  }

  /**
   * The fate of one attempt to deliver, `kind` being the signing name of the service that delivers (`events`,
   * `lambda`), with an optional `:detail` that gives it a stream of its own. Ask once per attempt.
   */
  delivery(kind: string): DeliveryFate {
    const service = kind.split(':')[0] ?? kind;
    if (!this.#troubles(service)) return { copies: 1, delaysMs: [0], fail: false };
    const draw = this.#stream(`delivery:${kind}`);
    const copies = draw() < rate(this.#options.duplicateRate) ? 2 : 1;
    const delaysMs = Array.from({ length: copies }, () => this.#latency(draw) + this.#holdBack(draw));
    const fail = draw() < rate(this.#options.failRate);
    return { copies, delaysMs, fail, failsAfterWork: draw() < 0.5 };
  }

  /** The fate of one API call to the service with this signing name. */
  call(service: string): CallFate {
    if (!this.#troubles(service)) return { delayMs: 0, fail: 'none' };
    const draw = this.#stream(`call:${service}`);
    const delayMs = this.#latency(draw);
    const fails = draw() < rate(this.#options.failRate);
    const before = draw() < 0.5;
    return { delayMs, fail: !fails ? 'none' : before ? 'before' : 'after' };
  }

  #troubles(service: string): boolean {
    return this.#options.services?.includes(service) ?? true;
  }

  #latency(draw: Draw): number {
    const { latencyMs, delayRate = 1 } = this.#options;
    const [chance, share] = [draw(), draw()];
    if (!latencyMs || chance >= delayRate) return 0;
    return latencyMs.min + share * (latencyMs.max - latencyMs.min);
  }

  #holdBack(draw: Draw): number {
    const { reorder } = this.#options;
    const [chance, share] = [draw(), draw()];
    return reorder && chance < reorder.rate ? share * reorder.windowMs : 0;
  }

  #stream(name: string): Draw {
    const known = this.#streams.get(name);
    if (known) return known;
    const created = mulberry32(hash(name) ^ this.#options.seed);
    this.#streams.set(name, created);
    return created;
  }
}

function rate(value: number | undefined): number {
  return value ?? 0;
}

function assertRates(options: ChaosOptions): void {
  const rates = {
    failRate: options.failRate,
    duplicateRate: options.duplicateRate,
    delayRate: options.delayRate,
    'reorder.rate': options.reorder?.rate,
  };
  for (const [name, value] of Object.entries(rates)) {
    if (value !== undefined && !(value >= 0 && value <= 1)) {
      throw new RangeError(`chaos ${name} must be between 0 and 1, but is ${value}`);
    }
  }
}

/** Tommy Ettinger's mulberry32: 32 bits of state, even enough for picking faults, and the same on every machine. */
function mulberry32(seed: number): Draw {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** FNV-1a, to give each stream a start of its own. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
