/** A monitor's core in a test's hand: time moves only when told. */
import { expect } from '@jest/globals';
import { historyEntryOf, queueSchema, type Frame, type HistoryEntry } from '../../shared-types/index.ts';
import type { MonitorInput, Poll, PollFailure } from '../core/monitor-input.ts';
import { initialState, type CountName, type MonitorEvent, type ResumedJob } from '../core/monitor-state.ts';
import { nextWakeAt, pollsWanted, socketIsDeaf } from '../core/poll-schedule.ts';
import { reduce } from '../core/reduce.ts';
import { countingIds, testSettings } from './simulation.ts';

export const T0 = Date.UTC(2026, 10, 22, 10);
export const ID = '7b8f2c52-2f5c-4e57-8f4b-2d6c0a3b9a01';
export const EXTRA = { client_id: 'monitor-1', jobId: 'job-1', attempt: 3 };

type Workflow = Record<string, unknown>;
export const chain = (length: number): Workflow =>
  Object.fromEntries(
    Array.from({ length }, (_, i) => [
      String(i),
      { class_type: 'ImageInvert', inputs: i === 0 ? {} : { image: [String(i - 1), 0] } },
    ]),
  );

export const createMonitor = (resumed: readonly ResumedJob[] = []) => {
  const newEventId = countingIds();
  let now = T0;
  let state = initialState({ ...testSettings('monitor-1'), stallTimeoutMs: 60_000 }, now, resumed);
  const events: MonitorEvent[] = [];
  const counts: CountName[] = [];
  const feed = (input: MonitorInput): void => {
    const previous = state;
    const told = (): string =>
      previous.jobs.size > 4 ? '' : JSON.stringify([...previous.jobs.values()].map((job) => [...job.nodes]));
    const before = told();
    const step = reduce(state, input, now, newEventId);
    expect(told()).toBe(before);
    state = step.state;
    events.push(...step.events);
    counts.push(...step.counts);
  };
  const frame = (type: Frame['type'], data: object): void =>
    feed({ kind: 'frame', frame: { type, data: { prompt_id: ID, ...data } } as unknown as Frame });
  return {
    events,
    counts,
    feed,
    frame,
    status: (remaining: number) => frame('status', { status: { exec_info: { queue_remaining: remaining } } }),
    pass: (ms: number) => {
      now += ms;
      feed({ kind: 'tick' });
    },
    queue: (
      place: 'running' | 'pending' | 'gone',
      workflow: Workflow = chain(2),
      extra: object = EXTRA,
      number = 5,
    ) => {
      const item = [number, ID, workflow, extra, [Object.keys(workflow).at(-1)]];
      const queue = queueSchema.parse({
        queue_running: place === 'running' ? [item] : [],
        queue_pending: place === 'pending' ? [item] : [],
      });
      feed({ kind: 'poll', result: { kind: 'queue', askedAt: now, queue } });
    },
    length: (remaining: number) =>
      feed({ kind: 'poll', result: { kind: 'queueLength', askedAt: now, remaining } }),
    history: (entry?: object) => {
      const read: HistoryEntry | undefined = historyEntryOf(entry === undefined ? {} : { [ID]: entry }, ID);
      feed({ kind: 'poll', result: { kind: 'history', askedAt: now, promptId: ID, entry: read } });
    },
    fail: (poll: Poll, failure: PollFailure) => feed({ kind: 'pollFailed', poll, failure }),
    polls: () => pollsWanted(state, now),
    wake: () => nextWakeAt(state, () => false) - now,
    deaf: () => socketIsDeaf(state),
    state: () => state,
    ofJob: () => events.filter((event) => event.detail.jobId !== null),
    last: (): MonitorEvent => {
      const event = events.at(-1);
      if (event === undefined) throw new Error('nothing was published');
      return event;
    },
    only: (type: string) => events.filter((event) => event.detailType === type),
  };
};

export const entry = (messages: [string, object][], outputs: object = {}, extra: object = EXTRA) => ({
  prompt: [5, ID, chain(2), extra, ['1']],
  outputs,
  status: { status_str: 'success', completed: true, messages },
});
export const success = entry([['execution_success', { prompt_id: ID, timestamp: T0 }]], {
  1: { images: [{ filename: 'a.png' }] },
});
