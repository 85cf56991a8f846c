/** A monitor between a replayed ComfyUI and a PutEvents endpoint, in this process, cleaned up by the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import {
  startPutEventsEndpoint,
  type AcceptedEvent,
  type PutEventsEndpoint,
} from '../../test/fakes/put-events.ts';
import {
  startReplayComfyUi,
  type ReplayComfyUi,
  type ReplayOptions,
} from '../../test/fakes/replay-comfyui.ts';
import { readRecording, type RecordingName } from '../../test/fakes/recording.ts';
import { readConfig, type MonitorConfig } from '../config.ts';
import { startMonitor, type MonitorDependencies, type RunningMonitor } from '../run-monitor.ts';

export const WORKER_ID = 'bench-1';

/** Waits until `condition` holds; fails with `what` after 15 s. */
export const until = async (what: string, condition: () => boolean): Promise<void> => {
  for (const end = Date.now() + 15_000; !condition(); await sleep(5)) {
    if (Date.now() > end) throw new Error(`still not so: ${what}`);
  }
};

export interface Bench {
  readonly comfy: ReplayComfyUi;
  readonly bus: PutEventsEndpoint;
  readonly stateDir: string;
  readonly config: MonitorConfig;
  /** Starts a monitor and waits until it is connected, unless told not to. */
  start(connected?: boolean, more?: Partial<MonitorDependencies>): Promise<RunningMonitor>;
  /** Posts the recorded workflow for the monitor's client; resolves with the prompt id. */
  submit(extraData?: Readonly<Record<string, unknown>>): Promise<string>;
  eventsOf(jobId: string): AcceptedEvent[];
  close(): Promise<void>;
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const configFor = (comfy: ReplayComfyUi, stateDir: string, env: Record<string, string>): MonitorConfig => {
  const reading = readConfig({
    COMFYUI_PORT: String(comfy.port),
    EVENTBRIDGE_BUS_NAME: 'test-comfyui-events',
    AWS_REGION: 'eu-west-1',
    WORKER_ID,
    MONITOR_STATE_DIR: stateDir,
    MONITOR_HEALTH_PORT: '0',
    MONITOR_PROGRESS_INTERVAL_MS: '50',
    ...env,
  });
  if (reading.kind === 'invalid') throw new Error(reading.problems.join('; '));
  return reading.config;
};

export const openBench = async (
  name: RecordingName,
  options: ReplayOptions = {},
  env: Record<string, string> = {},
): Promise<Bench> => {
  const comfy = await startReplayComfyUi(name, options);
  const bus = await startPutEventsEndpoint();
  const stateDir = await mkdtemp(join(tmpdir(), 'monitor-'));
  const config = configFor(comfy, stateDir, env);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new EventBridgeClient({
    region: 'eu-west-1',
    endpoint: bus.url,
    credentials,
    maxAttempts: 1,
  });
  const monitors: RunningMonitor[] = [];
  const initialized = (): number => bus.accepted.filter((e) => e.detailType === 'Monitor Initialized').length;
  return {
    comfy,
    bus,
    stateDir,
    config,
    start: async (connected = true, more = {}) => {
      const before = initialized();
      const monitor = await startMonitor(config, {
        log: silent,
        eventBridge: client,
        random: () => 0.01,
        ...more,
      });
      monitors.push(monitor);
      if (connected) await until('the monitor is connected', () => initialized() > before);
      return monitor;
    },
    submit: async (extraData = {}) => {
      const promptId = crypto.randomUUID();
      const prompt = readRecording(name).prompts[0]?.workflow;
      const body = { prompt, prompt_id: promptId, client_id: config.clientId, extra_data: extraData };
      await fetch(`${comfy.url}/prompt`, { method: 'POST', body: JSON.stringify(body) });
      return promptId;
    },
    eventsOf: (jobId) => bus.accepted.filter((event) => event.detail['jobId'] === jobId),
    close: async () => {
      bus.delay(0);
      bus.judgeEntries(() => ({ kind: 'accept' }));
      bus.judgeCalls(() => ({ kind: 'accept' }));
      await Promise.all(monitors.map((monitor) => monitor.stop()));
      client.destroy();
      await Promise.all([comfy.close(), bus.close()]);
      await rm(stateDir, { recursive: true, force: true });
    },
  };
};
