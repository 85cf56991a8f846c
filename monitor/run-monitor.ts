/** Wires the sidecar: lock, outbox, loop, socket and health server; and takes it down in the right order. */
import { randomUUID } from 'node:crypto';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { readComfyUiJson } from '../shared-types/index.ts';
import { createComfyRest } from './adapters/comfy-rest.ts';
import { keepConnected, type ComfySocket, type SocketListener } from './adapters/comfy-socket.ts';
import { createFrameGuard } from './adapters/frame-guard.ts';
import { createFrameIntake, type FrameIntake } from './adapters/frame-intake.ts';
import { startHealthServer, type HealthReport } from './adapters/health-server.ts';
import { takeLock } from './adapters/lock-file.ts';
import { createMetrics, type Metrics } from './adapters/metrics.ts';
import { openOutbox, type Outbox } from './adapters/outbox.ts';
import { PictureShrinker } from './adapters/picture-shrinker.ts';
import { createPreviewFunction } from './adapters/preview-function.ts';
import { PreviewSender, type CallPreviewFunction } from './adapters/preview-sender.ts';
import { comfyuiUrl, type MonitorConfig } from './config.ts';
import { onlyRunningPrompt, ownerOf } from './core/own-jobs.ts';
import {
  initialState,
  type MonitorEvent,
  type MonitorSettings,
  type MonitorState,
} from './core/monitor-state.ts';
import { reduce } from './core/reduce.ts';
import { healthOf } from './core/publish-monitor.ts';
import { ReconcileLoop } from './reconcile-loop.ts';

/** Events get this long to leave when the monitor stops; what is left is sent by the next run. */
const DRAIN_MS = 5000;

export interface MonitorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface MonitorDependencies {
  readonly log: MonitorLog;
  /** Default: a client of `config.region`; everything else from the standard AWS environment. */
  readonly eventBridge?: Pick<EventBridgeClient, 'send'>;
  /** Default: the function that the configuration names. */
  readonly previewFunction?: CallPreviewFunction;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** [0, 1) */
  readonly random?: () => number;
  /** A new UUID. */
  readonly newId?: () => string;
  /** Default: the JSON of ComfyUI, and the core's rule. */
  readonly readJson?: typeof readComfyUiJson;
  readonly reduce?: typeof reduce;
}

export interface RunningMonitor {
  /** Publishes Monitor Stopped, drains at most 5 s, lets go of everything. Safe to call twice. */
  stop(reason?: 'signal' | 'error'): Promise<void>;
  readonly healthPort: number;
  readonly metrics: Metrics;
}

const settingsOf = (config: MonitorConfig, bootId: string): MonitorSettings => ({
  clientId: config.clientId,
  workerId: config.workerId,
  bootId,
  comfyuiUrl: config.comfyuiPublicUrl,
  progressIntervalMs: config.progressIntervalMs,
  heartbeatIntervalSeconds: config.heartbeatSeconds,
  tags: config.tags,
  stallTimeoutMs: config.stallTimeoutSeconds * 1000,
});

/** One log line per turning point; never per frame. */
const logEvent = (log: MonitorLog, { detailType, detail }: MonitorEvent): void => {
  const { promptId, jobId, attempt } = detail;
  if (detailType === 'Monitor Initialized') {
    log.info({ code: 'monitor.connected', comfyuiVersion: detail.comfyuiVersion }, 'connected to ComfyUI');
  } else if (detailType === 'Job Failed') {
    log.warn({ code: 'monitor.jobFailed', jobId, promptId, attempt, reason: detail.reason }, 'job failed');
  } else if (detailType === 'Job Started') {
    log.info({ code: 'monitor.jobStarted', jobId, promptId, attempt }, 'job started');
  } else if (detailType === 'Job Completed') {
    log.info({ code: 'monitor.jobCompleted', jobId, promptId, attempt }, 'job completed');
  } else if (detailType === 'Job Cancelled') {
    log.info({ code: 'monitor.jobCancelled', jobId, promptId, attempt }, 'job cancelled');
  }
};

interface Parts {
  readonly config: MonitorConfig;
  readonly loop: ReconcileLoop;
  readonly intake: FrameIntake;
  readonly metrics: Metrics;
  readonly log: MonitorLog;
  readonly now: () => number;
}

const listenerOf = ({ loop, intake, metrics, log, now }: Parts): SocketListener => ({
  opened: () => {
    metrics.add('socket_connects_total');
    loop.record([{ kind: 'socketOpened' }]);
  },
  frame: (data, isBinary) => loop.record(intake.read(data, isBinary, now())),
  closed: (closeCode) => {
    metrics.add('socket_closes_total', String(closeCode));
    log.warn({ code: 'monitor.disconnected', closeCode }, 'the socket to ComfyUI closed');
    loop.record([...intake.release(now(), true), { kind: 'socketClosed' }]);
  },
});

const reportOf = ({ config, loop }: Parts, outbox: Outbox): HealthReport => {
  const state = loop.state;
  const health = healthOf(state);
  const connected = state.connection.kind === 'open' && state.connection.announced;
  const { workerId } = config;
  const body = {
    state: health,
    connected,
    queueRemaining: state.queueRemaining,
    spoolDepth: outbox.depth(),
    workerId,
  };
  return { healthy: connected && health !== 'unreachable' && !loop.stuck, body };
};

const socketUrl = (config: MonitorConfig): string =>
  `${comfyuiUrl(config).replace(/^http/, 'ws')}/ws?clientId=${encodeURIComponent(config.clientId)}`;

/** Undefined unless the configuration names a function that takes them. */
const previewsOf = (
  { config, metrics, log, now }: Omit<Parts, 'loop' | 'intake'>,
  stateOf: () => MonitorState,
  call: CallPreviewFunction | undefined,
  releases: (() => Promise<void>)[],
): PreviewSender | undefined => {
  const { previewFunctionName: functionName, region, workerId } = config;
  if (functionName === undefined) return undefined;
  const shrinker = new PictureShrinker();
  const sender = new PreviewSender({
    workerId,
    call: call ?? createPreviewFunction({ functionName, region }),
    shrink: shrinker.shrink,
    ownerOf: (promptId) => ownerOf(stateOf(), promptId),
    onlyPrompt: () => onlyRunningPrompt(stateOf().jobs),
    metrics,
    log,
    now,
  });
  // Newest first: once the sender is closed, no picture starts the thread anew.
  releases.push(
    () => shrinker.close(),
    () => sender.close(),
  );
  return sender;
};

/** Runs the release of everything that was taken so far, newest first. */
const releaseAll = async (releases: readonly (() => Promise<void>)[]): Promise<void> => {
  for (const release of [...releases].reverse()) await release();
};

const takeUp = async (
  config: MonitorConfig,
  dependencies: MonitorDependencies,
  releases: (() => Promise<void>)[],
): Promise<RunningMonitor> => {
  const { log, now = Date.now, random = Math.random, newId = randomUUID } = dependencies;
  const metrics = createMetrics();
  const lock = await takeLock(config.stateDir);
  releases.push(() => lock.release());
  const client = dependencies.eventBridge ?? new EventBridgeClient({ region: config.region, maxAttempts: 1 });
  const { eventBusName: busName, workerId, stateDir } = config;
  const outbox = await openOutbox({ client, busName, workerId, stateDir, metrics, now, random, log });
  releases.push(() => outbox.close(DRAIN_MS));
  const guard = createFrameGuard(metrics, log);
  const previews = previewsOf(
    { config, metrics, log, now },
    (): MonitorState => loop.state,
    dependencies.previewFunction,
    releases,
  );
  const intake = createFrameIntake(metrics, guard, dependencies.readJson, previews?.offer);
  let socket: ComfySocket | undefined;
  const loop: ReconcileLoop = new ReconcileLoop({
    initial: initialState(settingsOf(config, newId()), now(), outbox.jobs),
    rest: createComfyRest(comfyuiUrl(config)),
    intake,
    guard,
    metrics,
    publish: (events) => {
      for (const event of events) logEvent(log, event);
      outbox.accept(events);
    },
    renewSocket: () => socket?.renew(),
    now,
    newId,
    reduce: dependencies.reduce ?? reduce,
  });
  const parts: Parts = { config, loop, intake, metrics, log, now };
  const renderMetrics = (): string => {
    metrics.set('spool_depth', outbox.depth());
    return metrics.render();
  };
  const health = await startHealthServer(config.healthPort, () => reportOf(parts, outbox), renderMetrics);
  releases.push(() => health.close());
  log.info({ code: 'monitor.listening', healthPort: health.port }, 'health and metrics on loopback');
  const ending = new AbortController();
  socket = keepConnected(socketUrl(config), ending.signal, listenerOf(parts), random);
  const working = Promise.all([loop.run(ending.signal), socket.done]);
  let stopped: Promise<void> | undefined;
  const stop = async (reason: 'signal' | 'error'): Promise<void> => {
    loop.finish({ kind: 'stop', reason });
    ending.abort();
    await working;
    await releaseAll(releases);
    log.info({ code: 'monitor.stopped', reason }, 'stopped');
  };
  return { healthPort: health.port, metrics, stop: (reason = 'signal') => (stopped ??= stop(reason)) };
};

/** Throws MonitorError when the state directory is locked or unusable, and the socket's error for a taken health port. */
export const startMonitor = async (
  config: MonitorConfig,
  dependencies: MonitorDependencies,
): Promise<RunningMonitor> => {
  const releases: (() => Promise<void>)[] = [];
  try {
    return await takeUp(config, dependencies, releases);
  } catch (error) {
    await releaseAll(releases);
    throw error;
  }
};
