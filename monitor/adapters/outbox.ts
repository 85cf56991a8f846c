/** Events on their way out: promised on disk first, then sent in order, then marked as sent. */
import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { MonitorEvent, ResumedJob } from '../core/monitor-state.ts';
import type { Metrics } from './metrics.ts';
import { Publisher } from './publisher.ts';
import { openSpool } from './spool.ts';

export interface OutboxDependencies {
  readonly client: Pick<EventBridgeClient, 'send'>;
  readonly busName: string;
  readonly workerId: string;
  readonly stateDir: string;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly random: () => number;
  readonly log: {
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

export interface Outbox {
  /** What earlier runs knew of their jobs. */
  readonly jobs: readonly ResumedJob[];
  /** Takes events in their order; returns at once. */
  accept(events: readonly MonitorEvent[]): void;
  /** Events on disk that are not known to be accepted. */
  depth(): number;
  /** Waits until all is sent, at most `ms`; then ends. What is left is sent by the next run. */
  close(ms: number): Promise<void>;
}

/** Opens the spool and resumes sending what is left in it. */
export const openOutbox = async (dependencies: OutboxDependencies): Promise<Outbox> => {
  const { metrics, log, stateDir } = dependencies;
  const spool = await openSpool(stateDir, metrics);
  const noteFailure = (error: unknown): void => {
    metrics.add('spool_errors_total');
    log.error({ code: 'monitor.spoolFailed', err: error }, 'the spool cannot be written');
  };
  const publisher = new Publisher({
    ...dependencies,
    settled: (eventIds) => void spool.sent(eventIds).catch(noteFailure),
  });
  publisher.enqueue(spool.unsent);
  let promised: Promise<void> = Promise.resolve();

  /** A disk that refuses does not keep events from being sent. */
  const promiseThenSend = async (before: Promise<void>, events: readonly MonitorEvent[]): Promise<void> => {
    await before;
    await spool.append(events).catch(noteFailure);
    publisher.enqueue(events);
  };
  return {
    jobs: spool.jobs,
    accept: (events) => {
      promised = promiseThenSend(promised, events);
    },
    depth: () => spool.depth(),
    close: async (ms) => {
      await promised;
      await publisher.idle(AbortSignal.timeout(ms));
      await publisher.stop();
      await spool.close();
    },
  };
};
