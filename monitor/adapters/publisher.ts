/**
 * PutEvents with order: of one job, a later event is never sent before its earlier one was accepted. So a call carries
 * at most one event per job, and a job whose event failed waits alone while the others go on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  EventBridgeClient,
  PutEventsRequestEntry,
  PutEventsResultEntry,
} from '@aws-sdk/client-eventbridge';
import { PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { monitorSource } from '../../shared-types/index.ts';
import type { MonitorEvent } from '../core/monitor-state.ts';
import type { Metrics } from './metrics.ts';
import { isTransient } from './spool.ts';

const MAX_ENTRIES = 10;
const MAX_CALL_BYTES = 256 * 1024;
const CALL_TIMEOUT_MS = 10_000;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_THROTTLED_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** Waiting events beyond which node transitions are shed; what ends or starts a job never is. */
const MAX_WAITING = 20_000;

const THROTTLED = /Throttl|TooManyRequests|LimitExceeded/;
/** The entry itself is at fault: no retry will help. */
const POISON = new Set([
  'MalformedDetail',
  'InvalidArgument',
  'ValidationException',
  'RequestEntityTooLargeException',
]);
const SHEDDABLE = new Set<string>([
  'Node Executing',
  'Node Executed',
  'Node Progress Update',
  'Monitor Heartbeat',
]);

interface Waiting {
  readonly event: MonitorEvent;
  readonly entry: PutEventsRequestEntry;
  readonly bytes: number;
}

/** The events of one job attempt (or of the monitor itself), oldest first. */
interface Line {
  readonly waiting: Waiting[];
  notBefore: number;
  tries: number;
  /** Its head must travel alone: a whole call was refused and it may be the reason. */
  alone: boolean;
}

export interface PublisherDependencies {
  readonly client: Pick<EventBridgeClient, 'send'>;
  readonly busName: string;
  readonly workerId: string;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly random: () => number;
  /** Told once an event needs no further sending. */
  readonly settled: (eventIds: readonly string[]) => void;
  readonly log: { warn(fields: object, message: string): void };
}

export interface Publisher {
  enqueue(events: readonly MonitorEvent[]): void;
  /** Resolves when nothing waits any more, or when `signal` is aborted. */
  idle(signal: AbortSignal): Promise<void>;
  /** Ends the sender; what waits stays in the spool. */
  stop(): Promise<void>;
}

const lineKey = ({ detail }: MonitorEvent): string =>
  detail.jobId === null ? 'monitor' : JSON.stringify([detail.jobId, detail.attempt]);

const waitingOf = (event: MonitorEvent, busName: string, workerId: string): Waiting => {
  const Detail = JSON.stringify(event.detail);
  const entry = {
    EventBusName: busName,
    Source: monitorSource(workerId),
    DetailType: event.detailType,
    Detail,
    Time: new Date(event.detail.timestamp),
  };
  const bytes = 14 + entry.Source.length + entry.DetailType.length + Buffer.byteLength(Detail);
  return { event, entry, bytes };
};

export const retryDelay = (tries: number, throttled: boolean, random: () => number): number =>
  random() *
  Math.min((throttled ? BACKOFF_THROTTLED_MS : BACKOFF_FIRST_MS) * 2 ** Math.min(tries, 10), BACKOFF_MAX_MS);

/** The SDK names an error after the service's code. */
const nameOf = (error: unknown): string => {
  const name: unknown =
    typeof error === 'object' && error !== null && 'name' in error ? error.name : undefined;
  return typeof name === 'string' ? name : 'UnknownError';
};

export const createPublisher = (dependencies: PublisherDependencies): Publisher => {
  const { client, busName, workerId, metrics, now, random, settled, log } = dependencies;
  const lines = new Map<string, Line>();
  const stopping = new AbortController();
  let flying: ReadonlySet<Waiting> = new Set();
  let wake: () => void = () => undefined;
  let idlers: (() => void)[] = [];

  const depth = (): number => [...lines.values()].reduce((sum, line) => sum + line.waiting.length, 0);
  const noteDepth = (): void => {
    const waiting = depth();
    metrics.set('queue_depth', waiting);
    if (waiting > 0) return;
    for (const done of idlers.splice(0)) done();
  };

  /** A snapshot that still waits is replaced by the newer one. */
  const supersede = (line: Line, event: MonitorEvent): void => {
    if (!isTransient(event.detailType)) return;
    const index = line.waiting.findIndex((w) => w.event.detailType === event.detailType && !flying.has(w));
    if (index === -1) return;
    line.waiting.splice(index, 1);
    metrics.add('events_superseded_total');
  };

  const add = (event: MonitorEvent): void => {
    const key = lineKey(event);
    const line = lines.get(key) ?? { waiting: [], notBefore: 0, tries: 0, alone: false };
    if (SHEDDABLE.has(event.detailType) && depth() >= MAX_WAITING) {
      metrics.add('events_dropped_total', event.detailType);
      settled([event.detail.eventId]);
      return;
    }
    supersede(line, event);
    line.waiting.push(waitingOf(event, busName, workerId));
    lines.set(key, line);
  };

  /** The heads of the lines that may go now. */
  const nextBatch = (): [Line, Waiting][] => {
    const batch: [Line, Waiting][] = [];
    let bytes = 0;
    for (const line of lines.values()) {
      const head = line.waiting[0];
      if (head === undefined || line.notBefore > now() || bytes + head.bytes > MAX_CALL_BYTES) continue;
      if (line.alone) return batch.length === 0 ? [[line, head]] : batch;
      batch.push([line, head]);
      bytes += head.bytes;
      if (batch.length === MAX_ENTRIES) break;
    }
    return batch;
  };

  const finish = (line: Line, waiting: Waiting): void => {
    line.waiting.splice(line.waiting.indexOf(waiting), 1);
    line.notBefore = 0;
    line.tries = 0;
    line.alone = false;
    settled([waiting.event.detail.eventId]);
    for (const [key, other] of lines) if (other === line && line.waiting.length === 0) lines.delete(key);
  };

  const retry = (line: Line, code: string): void => {
    metrics.add('publish_failures_total', code);
    metrics.add('publish_retries_total');
    line.notBefore = now() + retryDelay(line.tries, THROTTLED.test(code), random);
    line.tries += 1;
  };

  const quarantine = (line: Line, waiting: Waiting, code: string): void => {
    const { detailType, detail } = waiting.event;
    metrics.add('publish_failures_total', code);
    metrics.add('events_quarantined_total', detailType);
    log.warn(
      { code: 'monitor.eventQuarantined', error: code, detailType, eventId: detail.eventId },
      'quarantined',
    );
    finish(line, waiting);
  };

  const judge = ([line, waiting]: [Line, Waiting], answer: PutEventsResultEntry | undefined): void => {
    if (answer?.EventId !== undefined && answer.ErrorCode === undefined) {
      metrics.add('events_published_total', waiting.event.detailType);
      finish(line, waiting);
    } else if (POISON.has(answer?.ErrorCode ?? '')) quarantine(line, waiting, answer?.ErrorCode ?? '');
    else retry(line, answer?.ErrorCode ?? 'NoAnswer');
  };

  const refuse = (batch: readonly [Line, Waiting][], error: unknown): void => {
    const code = nameOf(error);
    const [only] = batch;
    if (POISON.has(code) && batch.length === 1 && only !== undefined) return quarantine(...only, code);
    log.warn({ code: 'monitor.publishFailed', error: code, entries: batch.length }, 'PutEvents failed');
    for (const [line] of batch) {
      line.alone = POISON.has(code);
      retry(line, code);
    }
  };

  const send = async (batch: readonly [Line, Waiting][]): Promise<void> => {
    flying = new Set(batch.map(([, waiting]) => waiting));
    try {
      const command = new PutEventsCommand({ Entries: batch.map(([, waiting]) => waiting.entry) });
      const abortSignal = AbortSignal.any([stopping.signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
      const answer = await client.send(command, { abortSignal });
      for (const [index, pair] of batch.entries()) judge(pair, answer.Entries?.[index]);
    } catch (error) {
      if (!stopping.signal.aborted) refuse(batch, error);
    } finally {
      flying = new Set();
      noteDepth();
    }
  };

  const rest = async (): Promise<void> => {
    const due = [...lines.values()].filter((line) => line.waiting.length > 0).map((line) => line.notBefore);
    const woken = new AbortController();
    wake = () => woken.abort();
    const signal = AbortSignal.any([stopping.signal, woken.signal]);
    const ms = due.length === 0 ? 2 ** 30 : Math.max(0, Math.min(...due) - now());
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const batch = nextBatch();
      await (batch.length === 0 ? rest() : send(batch));
    }
  };
  const running = run();

  return {
    enqueue: (events) => {
      for (const event of events) add(event);
      noteDepth();
      wake();
    },
    idle: (signal) =>
      new Promise((resolve) => {
        if (depth() === 0 || signal.aborted) return resolve();
        idlers.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    stop: async () => {
      stopping.abort();
      for (const done of idlers.splice(0)) done();
      idlers = [];
      await running;
    },
  };
};
