/** Runs the reducer over a recording in virtual time: frames at their milliseconds, polls answered as that server would. */
import {
  historyEntryOf,
  objectInfoClassSchema,
  objectInfoSchema,
  queueSchema,
  readComfyUiJson,
  readFrame,
  systemStatsSchema,
} from '../../shared-types/index.ts';
import {
  frameText,
  historyAt,
  queueAt,
  recordedObjectInfo,
  recordedSystemStats,
  type RecordedLine,
  type Recording,
} from '../../test/fakes/recording.ts';
import { readBinaryFrame } from '../adapters/binary-frame.ts';
import type { MonitorInput, Poll } from '../core/monitor-input.ts';
import {
  initialState,
  type CountName,
  type MonitorEvent,
  type MonitorSettings,
  type MonitorState,
} from '../core/monitor-state.ts';
import { nextWakeAt, pollsWanted } from '../core/poll-schedule.ts';
import { reduce } from '../core/reduce.ts';

export const testSettings = (clientId: string): MonitorSettings => ({
  clientId,
  workerId: 'pod-1',
  bootId: '00000000-0000-4000-8000-000000000b01',
  comfyuiUrl: 'http://127.0.0.1:8188',
  progressIntervalMs: 1000,
  heartbeatIntervalSeconds: 3600,
  tags: [],
  stallTimeoutMs: 20 * 60_000,
});

/** UUIDs that count up: the same run makes the same ids. */
export const countingIds = (): (() => string) => {
  let n = 0;
  return () => `00000000-0000-4000-8000-${String((n += 1)).padStart(12, '0')}`;
};

export const displayNamesOf = (objectInfo: unknown): ReadonlyMap<string, string> => {
  const classes = objectInfoSchema.safeParse(objectInfo);
  return new Map(
    Object.entries(classes.success ? classes.data : {}).flatMap(([classType, info]) => {
      const read = objectInfoClassSchema.safeParse(info);
      return read.success && read.data.display_name ? [[classType, read.data.display_name]] : [];
    }),
  );
};

/** The facts that one line of a monitor's socket amounts to. */
export const inputsOfLine = (line: RecordedLine): MonitorInput[] => {
  if (line.event === 'open') return [{ kind: 'socketOpened' }];
  if (line.event === 'close') return [{ kind: 'socketClosed' }];
  if (line.binary !== undefined) {
    return [{ kind: 'binary', frame: readBinaryFrame(Buffer.from(line.binary, 'base64')) }];
  }
  const json = readComfyUiJson(frameText(line) ?? '');
  const read = json.kind === 'ok' ? readFrame(json.value) : undefined;
  return read?.kind === 'frame' ? [{ kind: 'frame', frame: read.frame }] : [];
};

const answer = (recording: Recording, poll: Poll, askedAt: number): MonitorInput => {
  const ms = askedAt - recording.epoch;
  switch (poll.kind) {
    case 'queue':
      return {
        kind: 'poll',
        result: { kind: 'queue', askedAt, queue: queueSchema.parse(queueAt(recording, ms)) },
      };
    case 'queueLength': {
      const queue = queueSchema.parse(queueAt(recording, ms));
      const remaining = queue.running.length + queue.pending.length;
      return { kind: 'poll', result: { kind: 'queueLength', askedAt, remaining } };
    }
    case 'history': {
      const entry = historyEntryOf(historyAt(recording, poll.promptId, ms), poll.promptId);
      return { kind: 'poll', result: { kind: 'history', askedAt, promptId: poll.promptId, entry } };
    }
    case 'systemStats':
      return {
        kind: 'poll',
        result: { kind: 'systemStats', askedAt, stats: systemStatsSchema.parse(recordedSystemStats()) },
      };
    case 'objectInfo':
      return {
        kind: 'poll',
        result: { kind: 'objectInfo', askedAt, displayNames: displayNamesOf(recordedObjectInfo()) },
      };
    default:
      return poll satisfies never;
  }
};

const opened = (recording: Recording): RecordedLine[] => {
  const [first] = recording.socketLines;
  return first?.event === 'open' ? [] : [{ ms: first?.ms ?? 0, event: 'open' }];
};

export interface Simulated {
  readonly events: readonly MonitorEvent[];
  readonly counts: readonly CountName[];
  readonly state: MonitorState;
}

export interface SimulationOptions {
  /** How long an answer of the REST API takes, ms. */
  readonly latencyMs?: number;
  /** How long after the last line the monitor goes on, ms. */
  readonly afterMs?: number;
  /** Which of the socket's lines arrive. */
  readonly arrives?: (line: RecordedLine) => boolean;
}

export const simulate = (recording: Recording, options: SimulationOptions = {}): Simulated => {
  const { latencyMs = 3, afterMs = 60_000, arrives = () => true } = options;
  const newEventId = countingIds();
  const lines = [...opened(recording), ...recording.socketLines.filter(arrives)];
  const endsAt = recording.epoch + recording.endsAt + afterMs;
  const events: MonitorEvent[] = [];
  const counts: CountName[] = [];
  const flying = new Map<string, { input: MonitorInput; at: number }>();
  const keyOf = (poll: Poll): string => JSON.stringify(poll);
  let now = recording.epoch;
  let state = initialState(testSettings(recording.clientId), now);
  const feed = (input: MonitorInput): void => {
    const step = reduce(state, input, now, newEventId);
    state = step.state;
    events.push(...step.events);
    counts.push(...step.counts);
    for (const poll of pollsWanted(state, now)) {
      if (!flying.has(keyOf(poll))) {
        flying.set(keyOf(poll), { input: answer(recording, poll, now), at: now + latencyMs });
      }
    }
  };
  for (let guard = 0; guard < 100_000; guard += 1) {
    const line = lines[0];
    const lineAt = line === undefined ? Infinity : recording.epoch + line.ms;
    const [key, flight] = [...flying].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
    const wakeAt = nextWakeAt(state, (poll) => flying.has(keyOf(poll)));
    const next = Math.min(lineAt, flight?.at ?? Infinity, wakeAt);
    if (next > endsAt) return { events, counts, state };
    now = Math.max(now, next);
    if (line !== undefined && lineAt <= now) {
      lines.shift();
      for (const input of inputsOfLine(line)) feed(input);
    } else if (key !== undefined && flight !== undefined && flight.at <= now) {
      flying.delete(key);
      feed(flight.input);
    } else feed({ kind: 'tick' });
  }
  throw new Error('the simulation does not come to an end: something is always due');
};
