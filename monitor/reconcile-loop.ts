/** The one loop: callbacks record facts and wake it, the core decides, and what it wants is done. */
import type { ComfyRest } from './adapters/comfy-rest.ts';
import type { FrameIntake } from './adapters/frame-intake.ts';
import type { Metrics } from './adapters/metrics.ts';
import type { MonitorInput, Poll } from './core/monitor-input.ts';
import type { MonitorEvent, MonitorState } from './core/monitor-state.ts';
import { nextWakeAt, pollsWanted, socketIsDeaf } from './core/poll-schedule.ts';
import { reduce } from './core/reduce.ts';

/** No single wait is longer: a clock that was set back cannot make the loop sleep for ever. */
const MAX_WAIT_MS = 30_000;

export interface LoopDependencies {
  readonly initial: MonitorState;
  readonly rest: ComfyRest;
  readonly intake: FrameIntake;
  readonly metrics: Metrics;
  /** Takes the events of one step, in order; must not block. */
  readonly publish: (events: readonly MonitorEvent[]) => void;
  /** Replaces a socket that hears nothing. */
  readonly renewSocket: () => void;
  readonly now: () => number;
  readonly newId: () => string;
}

export interface ReconcileLoop {
  record(inputs: readonly MonitorInput[]): void;
  state(): MonitorState;
  /** Runs until `signal` is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Reduces what was recorded, then this fact, at once. */
  finish(input: MonitorInput): void;
}

const keyOf = (poll: Poll): string => (poll.kind === 'history' ? `history ${poll.promptId}` : poll.kind);

export const createReconcileLoop = (dependencies: LoopDependencies): ReconcileLoop => {
  const { rest, intake, metrics, publish, renewSocket, now, newId } = dependencies;
  let state = dependencies.initial;
  const inbox: { input: MonitorInput; at: number }[] = [];
  const flying = new Set<string>();
  let wake: () => void = () => undefined;

  const record = (inputs: readonly MonitorInput[]): void => {
    for (const input of inputs) inbox.push({ input, at: now() });
    wake();
  };

  const step = (input: MonitorInput, at: number): void => {
    const reduction = reduce(state, input, at, newId);
    state = reduction.state;
    for (const name of reduction.counts) metrics.add('notices_total', name);
    if (reduction.events.length > 0) publish(reduction.events);
  };

  const drain = (): void => {
    for (const { input, at } of inbox.splice(0)) step(input, at);
  };

  const ask = async (poll: Poll, signal: AbortSignal): Promise<void> => {
    metrics.add('polls_total', poll.kind);
    const outcome = await rest.ask(poll, now(), signal);
    flying.delete(keyOf(poll));
    if (signal.aborted) return;
    if (outcome.kind === 'answered') return record([{ kind: 'poll', result: outcome.result }]);
    metrics.add('poll_failures_total', outcome.failure);
    record([{ kind: 'pollFailed', poll, failure: outcome.failure }]);
  };

  const startPolls = (signal: AbortSignal): void => {
    for (const poll of pollsWanted(state, now())) {
      if (flying.has(keyOf(poll))) continue;
      flying.add(keyOf(poll));
      void ask(poll, signal);
    }
  };

  const restUntilDue = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const due = Math.min(
        nextWakeAt(state, (poll) => flying.has(keyOf(poll))),
        intake.dueAt(),
      );
      const timer = setTimeout(() => wake(), Math.min(Math.max(0, due - now()), MAX_WAIT_MS));
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (inbox.length > 0 || signal.aborted) wake();
    });

  const run = async (signal: AbortSignal): Promise<void> => {
    signal.addEventListener('abort', () => wake(), { once: true });
    for (let wasDeaf = false; !signal.aborted; wasDeaf = socketIsDeaf(state)) {
      record(intake.release(now()));
      drain();
      step({ kind: 'tick' }, now());
      startPolls(signal);
      if (socketIsDeaf(state) && !wasDeaf) renewSocket();
      await restUntilDue(signal);
    }
  };

  return {
    record,
    state: () => state,
    run,
    finish: (input) => {
      record(intake.release(now(), true));
      drain();
      step(input, now());
    },
  };
};
