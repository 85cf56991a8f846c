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
import { withDeadline } from './deadline.ts';
import type { Metrics } from './metrics.ts';
import { OutgoingLines, type Departure } from './outgoing-lines.ts';

const CALL_TIMEOUT_MS = 10_000;
/** Waiting events beyond which node transitions are shed; what starts or ends a job never is. */
const MAX_WAITING = 20_000;
const MAX_REST_MS = 60_000;

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

const entryOf = (event: MonitorEvent, busName: string, workerId: string): PutEventsRequestEntry => ({
  EventBusName: busName,
  Source: monitorSource(workerId),
  DetailType: event.detailType,
  Detail: JSON.stringify(event.detail),
  Time: new Date(event.detail.timestamp),
});

/** How EventBridge weighs an entry: 14 for the time, then the UTF-8 bytes of its texts. */
const bytesOf = (event: MonitorEvent, workerId: string): number =>
  14 +
  monitorSource(workerId).length +
  event.detailType.length +
  Buffer.byteLength(JSON.stringify(event.detail));

/** The SDK names an error after the service's code. */
const nameOf = (error: unknown): string => {
  const name: unknown =
    typeof error === 'object' && error !== null && 'name' in error ? error.name : undefined;
  return typeof name === 'string' ? name : 'UnknownError';
};

export class Publisher {
  readonly #dependencies: PublisherDependencies;
  readonly #lines: OutgoingLines;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #wake: () => void = () => undefined;
  #idlers: (() => void)[] = [];

  /** Starts sending at once. */
  constructor(dependencies: PublisherDependencies) {
    this.#dependencies = dependencies;
    this.#lines = new OutgoingLines((event) => bytesOf(event, dependencies.workerId));
    this.#running = this.#run();
  }

  /** Takes events in their order; returns at once. */
  enqueue(events: readonly MonitorEvent[]): void {
    for (const event of events) this.#add(event);
    this.#noteDepth();
    this.#wake();
  }

  /** Resolves when nothing waits any more, or when `signal` is aborted. */
  idle(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#lines.depth === 0 || signal.aborted) return resolve();
      this.#idlers.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Ends the sender; what waits stays in the spool. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const done of this.#idlers.splice(0)) done();
    await this.#running;
  }

  #add(event: MonitorEvent): void {
    const { metrics, settled } = this.#dependencies;
    if (SHEDDABLE.has(event.detailType) && this.#lines.depth >= MAX_WAITING) {
      metrics.add('events_dropped_total', event.detailType);
      settled([event.detail.eventId]);
    } else if (this.#lines.add(event) !== undefined) metrics.add('events_superseded_total');
  }

  #noteDepth(): void {
    this.#dependencies.metrics.set('queue_depth', this.#lines.depth);
    if (this.#lines.depth > 0) return;
    for (const done of this.#idlers.splice(0)) done();
  }

  #finish(departure: Departure): void {
    this.#lines.arrived(departure);
    this.#dependencies.settled([departure.event.detail.eventId]);
  }

  #retry(departure: Departure, code: string, alone: boolean): void {
    const { metrics, now, random } = this.#dependencies;
    metrics.add('publish_failures_total', code);
    metrics.add('publish_retries_total');
    this.#lines.delayed(departure, code, alone, now(), random);
  }

  #quarantine(departure: Departure, error: string): void {
    const { metrics, log } = this.#dependencies;
    const { detailType, detail } = departure.event;
    metrics.add('publish_failures_total', error);
    metrics.add('events_quarantined_total', detailType);
    log.warn({ code: 'monitor.eventQuarantined', error, detailType, eventId: detail.eventId }, 'quarantined');
    this.#finish(departure);
  }

  #judge(departure: Departure, answer: PutEventsResultEntry | undefined): void {
    const code = answer?.ErrorCode ?? (answer?.EventId === undefined ? 'NoAnswer' : undefined);
    if (code === undefined) {
      this.#dependencies.metrics.add('events_published_total', departure.event.detailType);
      this.#finish(departure);
    } else if (POISON.has(code)) this.#quarantine(departure, code);
    else this.#retry(departure, code, departure.line.alone);
  }

  /** A whole call was refused. Where an entry may be at fault, each goes alone from now on until it is found. */
  #refused(batch: readonly Departure[], error: string): void {
    const [only] = batch;
    const atFault = POISON.has(error);
    if (atFault && batch.length === 1 && only !== undefined) return this.#quarantine(only, error);
    const fields = { code: 'monitor.publishFailed', error, entries: batch.length };
    this.#dependencies.log.warn(fields, 'PutEvents failed');
    for (const departure of batch) this.#retry(departure, error, atFault || departure.line.alone);
  }

  async #send(batch: readonly Departure[]): Promise<void> {
    const { client, busName, workerId } = this.#dependencies;
    const Entries = batch.map(({ event }) => entryOf(event, busName, workerId));
    try {
      const command = new PutEventsCommand({ Entries });
      const answer = await withDeadline(this.#stopping.signal, CALL_TIMEOUT_MS, (abortSignal) =>
        client.send(command, { abortSignal }),
      );
      for (const [index, departure] of batch.entries()) this.#judge(departure, answer.Entries?.[index]);
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#refused(batch, nameOf(error));
    } finally {
      this.#lines.settled();
      this.#noteDepth();
    }
  }

  async #rest(): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const ms = Math.min(MAX_REST_MS, Math.max(0, this.#lines.nextAt() - this.#dependencies.now()));
    const signal = AbortSignal.any([this.#stopping.signal, woken.signal]);
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const batch = this.#lines.depart(this.#dependencies.now());
      await (batch.length === 0 ? this.#rest() : this.#send(batch));
    }
  }
}
