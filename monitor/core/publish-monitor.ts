/** Events about the monitor itself: ready, alive, stopped. */
import { SCHEMA_VERSION, type MonitorDetailType } from '../../shared-types/index.ts';
import { cleanText } from './node-names.ts';
import { LIMITS, type MonitorEvent, type MonitorState } from './monitor-state.ts';
import { isoTime } from './publish-job.ts';
import type { Turn } from './turn.ts';

const emitMonitor = (
  turn: Turn,
  detailType: Extract<MonitorDetailType, `Monitor ${string}`>,
  body: Readonly<Record<string, unknown>>,
): void => {
  const { clientId, workerId, bootId } = turn.state.settings;
  turn.state.monitorSequence += 1;
  const base = {
    eventId: turn.newEventId(),
    schemaVersion: SCHEMA_VERSION,
    promptId: null,
    timestamp: isoTime(turn.now),
    clientId,
    workerId,
    jobId: null,
    attempt: 0,
    bootId,
    sequence: turn.state.monitorSequence,
  };
  turn.events.push({ detailType, detail: { ...base, ...body } } as unknown as MonitorEvent);
};

const devicesOf = (state: MonitorState): Record<string, unknown>[] =>
  (state.stats?.devices ?? []).slice(0, 16).map((device) => ({
    name: cleanText(device.name),
    type: cleanText(device.type, 64),
    ...(device.vram_total !== undefined && Number.isFinite(device.vram_total) && device.vram_total >= 0
      ? { vramTotal: device.vram_total }
      : {}),
  }));

/** Once per connection, as soon as both the socket and the REST API have answered. */
export const publishInitialized = (turn: Turn): void => {
  const { connection, stats, clock, queueRemaining, settings } = turn.state;
  const answered = stats !== undefined && clock.statsDueAt === Infinity && queueRemaining !== null;
  if (connection.kind !== 'open' || connection.announced || !answered) return;
  turn.state.connection = { ...connection, announced: true };
  emitMonitor(turn, 'Monitor Initialized', {
    comfyuiUrl: settings.comfyuiUrl,
    comfyuiVersion: stats.system.comfyui_version?.slice(0, 64) ?? null,
    devices: devicesOf(turn.state),
    queueRemaining,
    heartbeatIntervalSeconds: settings.heartbeatIntervalSeconds,
    ...(settings.tags.length === 0 ? {} : { tags: settings.tags }),
  });
};

export type MonitorHealth = 'healthy' | 'degraded' | 'unreachable';

export const healthOf = (state: MonitorState): MonitorHealth => {
  if (state.refused || state.misses >= LIMITS.missesToDegrade) return 'unreachable';
  const connected = state.connection.kind === 'open' && state.connection.announced;
  return connected && state.misses === 0 && !state.canary.deaf ? 'healthy' : 'degraded';
};

const ownPrompts = (state: MonitorState): string[] => {
  const own = [...state.jobs.values()].filter(
    (job) => job.ownership === 'ours' && job.phase.kind !== 'closed',
  );
  const pending = own.filter((job) => job.phase.kind === 'pending');
  return [...own.filter((job) => job.phase.kind !== 'pending'), ...pending].map((job) => job.promptId);
};

export const publishHeartbeat = (turn: Turn): void => {
  if (turn.now < turn.state.heartbeatDueAt) return;
  turn.state.heartbeatDueAt = turn.now + turn.state.settings.heartbeatIntervalSeconds * 1000;
  emitMonitor(turn, 'Monitor Heartbeat', {
    state: healthOf(turn.state),
    queueRemaining: turn.state.queueRemaining,
    runningPromptIds: ownPrompts(turn.state).slice(0, 16),
  });
};

export const publishStopped = (turn: Turn, reason: 'signal' | 'error'): void =>
  emitMonitor(turn, 'Monitor Stopped', { reason });
