/** The one loop: callbacks record facts and wake it, the core decides, and what it wants is done. */
import type { ComfyRest } from './adapters/comfy-rest.ts';
import type { FrameGuard } from './adapters/frame-guard.ts';
import type { FrameIntake } from './adapters/frame-intake.ts';
import type { Metrics } from './adapters/metrics.ts';
import type { MonitorInput, Poll } from './core/monitor-input.ts';
import type { MonitorEvent, MonitorState } from './core/monitor-state.ts';
import { nextWakeAt, pollsWanted, socketIsDeaf } from './core/poll-schedule.ts';
import type { reduce } from './core/reduce.ts';

/** No single wait is longer: a clock that was set back cannot make the loop sleep for ever. */
const MAX_WAIT_MS = 30_000;
/** After a step of time alone that failed: what was due then is due still, and would be tried without a pause. */
const FAILED_TICK_WAIT_MS = 1000;

export interface LoopDependencies {
  readonly initial: MonitorState;
  readonly rest: ComfyRest;
  readonly intake: FrameIntake;
  readonly guard: FrameGuard;
  readonly metrics: Metrics;
  /** Takes the events of one step, in order; must not block. */
  readonly publish: (events: readonly MonitorEvent[]) => void;
  /** Replaces a socket that hears nothing. */
  readonly renewSocket: () => void;
  readonly now: () => number;
  readonly newId: () => string;
  readonly reduce: typeof reduce;
}

const keyOf = (poll: Poll): string => (poll.kind === 'history' ? `history ${poll.promptId}` : poll.kind);

export class ReconcileLoop {
  readonly #dependencies: LoopDependencies;
  readonly #inbox: { readonly input: MonitorInput; readonly at: number }[] = [];
  /** Polls on their way; none is asked twice at a time. */
  readonly #flying = new Set<string>();
  #state: MonitorState;
  #wake: () => void = () => undefined;
  #failedTicks = 0;

  constructor(dependencies: LoopDependencies) {
    this.#dependencies = dependencies;
    this.#state = dependencies.initial;
  }

  get state(): MonitorState {
    return this.#state;
  }

  /** True while the passing of time cannot be reduced: no heartbeat goes out, and none should. */
  get stuck(): boolean {
    return this.#failedTicks > 0;
  }

  record(inputs: readonly MonitorInput[]): void {
    const at = this.#dependencies.now();
    for (const input of inputs) this.#inbox.push({ input, at });
    this.#wake();
  }

  /** Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { intake, now, renewSocket } = this.#dependencies;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    for (let wasDeaf = false; !signal.aborted; wasDeaf = socketIsDeaf(this.#state)) {
      this.record(intake.release(now()));
      this.#drain();
      this.#tick();
      this.#startPolls(signal);
      if (socketIsDeaf(this.#state) && !wasDeaf) renewSocket();
      await this.#restUntilDue(signal);
    }
  }

  /** Reduces what was recorded, then this fact, at once. */
  finish(input: MonitorInput): void {
    const { intake, now } = this.#dependencies;
    this.record(intake.release(now(), true));
    this.#drain();
    this.#dependencies.guard(input.kind, () => this.#step(input, now()));
  }

  #step(input: MonitorInput, at: number): void {
    const { metrics, publish, newId, reduce } = this.#dependencies;
    const reduction = reduce(this.#state, input, at, newId);
    this.#state = reduction.state;
    for (const name of reduction.counts) metrics.add('notices_total', name);
    if (reduction.events.length > 0) publish(reduction.events);
  }

  #tick(): void {
    const { guard, now } = this.#dependencies;
    const done = guard('tick', () => {
      this.#step({ kind: 'tick' }, now());
      return true;
    });
    this.#failedTicks = done === true ? 0 : this.#failedTicks + 1;
  }

  /** A step is all or nothing, so a frame or an answer that cannot be reduced is as one that never came. */
  #drain(): void {
    const { guard } = this.#dependencies;
    for (const { input, at } of this.#inbox.splice(0)) {
      if (input.kind === 'frame') guard(input.frame.type, () => this.#step(input, at));
      else if (input.kind === 'binary') guard('binary', () => this.#step(input, at));
      else if (input.kind === 'poll') guard(`answer:${input.result.kind}`, () => this.#step(input, at));
      else guard(input.kind, () => this.#step(input, at));
    }
  }

  #startPolls(signal: AbortSignal): void {
    for (const poll of pollsWanted(this.#state, this.#dependencies.now())) {
      if (this.#flying.has(keyOf(poll))) continue;
      this.#flying.add(keyOf(poll));
      void this.#ask(poll, signal);
    }
  }

  async #ask(poll: Poll, signal: AbortSignal): Promise<void> {
    const { rest, metrics, now } = this.#dependencies;
    metrics.add('polls_total', poll.kind);
    const outcome = await rest.ask(poll, now(), signal);
    this.#flying.delete(keyOf(poll));
    if (signal.aborted) return;
    if (outcome.kind === 'answered') return this.record([{ kind: 'poll', result: outcome.result }]);
    metrics.add('poll_failures_total', outcome.failure);
    this.record([{ kind: 'pollFailed', poll, failure: outcome.failure }]);
  }

  #restUntilDue(signal: AbortSignal): Promise<void> {
    const { intake, now } = this.#dependencies;
    const wakeAt = nextWakeAt(this.#state, (poll) => this.#flying.has(keyOf(poll)));
    const least = this.stuck ? FAILED_TICK_WAIT_MS : 0;
    const ms = Math.max(least, Math.min(wakeAt, intake.dueAt()) - now());
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake(), Math.min(ms, MAX_WAIT_MS));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#inbox.length > 0 || signal.aborted) this.#wake();
    });
  }
}
