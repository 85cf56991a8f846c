/** The sidecar as one reconcile loop: callbacks record facts and wake it; the core decides; adapters act. */
import { randomUUID } from 'node:crypto';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { createComfyRest } from './adapters/comfy-rest.ts';
import { keepConnected } from './adapters/comfy-socket.ts';
import { createFrameIntake } from './adapters/frame-intake.ts';
import { startHealthServer, type HealthReport } from './adapters/health-server.ts';
import { takeLock } from './adapters/lock-file.ts';
import { createMetrics, type Metrics } from './adapters/metrics.ts';
import { createPublisher } from './adapters/publisher.ts';
import { openSpool } from './adapters/spool.ts';
import { comfyuiUrl, type MonitorConfig } from './config.ts';
import type { MonitorInput, Poll } from './core/monitor-input.ts';
import { initialState, type MonitorEvent, type MonitorState } from './core/monitor-state.ts';
import { nextWakeAt, pollsWanted, socketIsDeaf } from './core/poll-schedule.ts';
import { healthOf } from './core/publish-monitor.ts';
import { reduce } from './core/reduce.ts';

/** Events get this long to leave when the monitor stops; what is left is sent by the next run. */
const DRAIN_MS = 5000;
/** No single wait is longer: a clock that was set back cannot make the loop sleep for ever. */
const MAX_WAIT_MS = 30_000;

export interface MonitorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface MonitorDependencies {
  readonly log: MonitorLog;
  /** Default: a client of `config.region`; everything else from the standard AWS environment. */
  readonly eventBridge?: Pick<EventBridgeClient, 'send'> & { destroy?(): void };
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** [0, 1) */
  readonly random?: () => number;
  readonly newId?: () => string;
}

export interface RunningMonitor {
  /** Publishes Monitor Stopped, drains, lets go of everything. Safe to call twice. */
  stop(reason?: 'signal' | 'error'): Promise<void>;
  readonly healthPort: number;
  readonly metrics: Metrics;
}

const keyOf = (poll: Poll): string => (poll.kind === 'history' ? `history ${poll.promptId}` : poll.kind);

/** Throws MonitorError when the state directory is locked or unusable; the health port must be free. */
export const startMonitor = async (
  config: MonitorConfig,
  dependencies: MonitorDependencies,
): Promise<RunningMonitor> => {
  const { log, now = Date.now, random = Math.random, newId = randomUUID } = dependencies;
  const metrics = createMetrics();
  const lock = await takeLock(config.stateDir);
  const spool = await openSpool(config.stateDir, metrics).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });
  const client = dependencies.eventBridge ?? new EventBridgeClient({ region: config.region, maxAttempts: 1 });
  const publisher = createPublisher({
    client,
    busName: config.eventBusName,
    workerId: config.workerId,
    metrics,
    now,
    random,
    log,
    settled: (ids) => void spool.sent(ids).catch(() => metrics.add('spool_errors_total')),
  });
  publisher.enqueue(spool.unsent);

  let state: MonitorState = initialState(
    {
      clientId: config.clientId,
      workerId: config.workerId,
      bootId: newId(),
      comfyuiUrl: config.comfyuiPublicUrl,
      progressIntervalMs: config.progressIntervalMs,
      heartbeatIntervalSeconds: config.heartbeatSeconds,
      stallTimeoutMs: config.stallTimeoutSeconds * 1000,
    },
    now(),
    spool.jobs,
  );
  const inbox: { input: MonitorInput; at: number }[] = [];
  const flying = new Map<string, Poll>();
  const stopping = new AbortController();
  const intake = createFrameIntake(metrics);
  const rest = createComfyRest(comfyuiUrl(config));
  let wake: () => void = () => undefined;
  let promised: Promise<void> = Promise.resolve();

  const record = (...inputs: MonitorInput[]): void => {
    for (const input of inputs) inbox.push({ input, at: now() });
    wake();
  };

  /** An event is on disk before it is sent. A disk that refuses does not keep it from being sent. */
  const promise = (events: readonly MonitorEvent[]): void => {
    for (const event of events) announce(event);
    promised = promised.then(async () => {
      await spool.append(events).catch((error: unknown) => {
        metrics.add('spool_errors_total');
        log.error({ code: 'monitor.spoolFailed', err: error }, 'the spool cannot be written');
      });
      publisher.enqueue(events);
    });
  };

  const announce = ({ detailType, detail }: MonitorEvent): void => {
    if (detailType === 'Monitor Initialized') {
      log.info({ code: 'monitor.connected', comfyuiVersion: detail.comfyuiVersion }, 'connected to ComfyUI');
    } else if (detailType === 'Job Failed') {
      const { jobId, promptId, reason } = detail;
      log.warn({ code: 'monitor.jobFailed', jobId, promptId, reason }, 'job failed');
    } else if (detailType === 'Job Started' || detailType === 'Job Completed') {
      const fields = { jobId: detail.jobId, promptId: detail.promptId, attempt: detail.attempt };
      log.info(
        { code: `monitor.${detailType === 'Job Started' ? 'jobStarted' : 'jobCompleted'}`, ...fields },
        detailType,
      );
    }
  };

  const step = (input: MonitorInput, at: number): void => {
    const reduction = reduce(state, input, at, newId);
    state = reduction.state;
    for (const name of reduction.counts) metrics.add('notices_total', name);
    if (reduction.events.length > 0) promise(reduction.events);
  };

  const ask = async (poll: Poll): Promise<void> => {
    metrics.add('polls_total', poll.kind);
    const outcome = await rest.ask(poll, now(), stopping.signal);
    flying.delete(keyOf(poll));
    if (stopping.signal.aborted) return;
    if (outcome.kind === 'answered') return record({ kind: 'poll', result: outcome.result });
    metrics.add('poll_failures_total', outcome.failure);
    record({ kind: 'pollFailed', poll, failure: outcome.failure });
  };

  const startPolls = (): void => {
    for (const poll of pollsWanted(state, now())) {
      if (flying.has(keyOf(poll))) continue;
      flying.set(keyOf(poll), poll);
      void ask(poll);
    }
  };

  const socket = keepConnected(
    `${comfyuiUrl(config).replace(/^http/, 'ws')}/ws?clientId=${encodeURIComponent(config.clientId)}`,
    stopping.signal,
    {
      opened: () => {
        metrics.add('socket_connects_total');
        record({ kind: 'socketOpened' });
      },
      frame: (data, isBinary) => record(...intake.read(data, isBinary, now())),
      closed: (closeCode) => {
        metrics.add('socket_closes_total', String(closeCode));
        log.warn({ code: 'monitor.disconnected', closeCode }, 'the socket to ComfyUI closed');
        record(...intake.release(now(), true), { kind: 'socketClosed' });
      },
    },
    random,
  );

  const drainInbox = (): void => {
    for (const { input, at } of inbox.splice(0)) step(input, at);
  };

  const rested = (): Promise<void> =>
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
      if (inbox.length > 0 || stopping.signal.aborted) wake();
    });

  let wasDeaf = false;
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      record(...intake.release(now()));
      drainInbox();
      step({ kind: 'tick' }, now());
      startPolls();
      const deaf = socketIsDeaf(state);
      if (deaf && !wasDeaf) socket.renew();
      wasDeaf = deaf;
      metrics.set('spool_depth', spool.depth());
      await rested();
    }
  };

  const report = (): HealthReport => {
    const health = healthOf(state);
    const connected = state.connection.kind === 'open' && state.connection.announced;
    return {
      healthy: connected && health !== 'unreachable',
      body: {
        state: health,
        connected,
        queueRemaining: state.queueRemaining,
        spoolDepth: spool.depth(),
        workerId: config.workerId,
      },
    };
  };

  const health = await startHealthServer(config.healthPort, report, () => metrics.render()).catch(
    async (error: unknown) => {
      stopping.abort();
      await Promise.all([socket.done, publisher.stop()]);
      await spool.close();
      await lock.release();
      throw error;
    },
  );
  log.info({ code: 'monitor.listening', healthPort: health.port }, 'health and metrics on loopback');
  const looping = loop();

  const shutDown = async (reason: 'signal' | 'error'): Promise<void> => {
    drainInbox();
    step({ kind: 'stop', reason }, now());
    await promised;
    await publisher.idle(AbortSignal.timeout(DRAIN_MS));
    stopping.abort();
    wake();
    await Promise.all([looping, socket.done, publisher.stop(), health.close()]);
    await spool.close();
    await lock.release();
    if (dependencies.eventBridge === undefined) client.destroy?.();
    log.info({ code: 'monitor.stopped', reason }, 'stopped');
  };
  let stopped: Promise<void> | undefined;
  return {
    healthPort: health.port,
    metrics,
    stop: (reason = 'signal') => (stopped ??= shutDown(reason)),
  };
};
