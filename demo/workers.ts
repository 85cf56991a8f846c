/** Workers of the demo: a simulated ComfyUI (or a real one) and its monitor, each a process of its own. */
import path from 'node:path';
import { startChild, type Child } from './child-processes.ts';
import { DemoError } from './demo-error.ts';

export interface AwsAccess {
  readonly endpoint: string;
  readonly region: string;
  readonly eventBusName: string;
  /** Takes the pictures while sampling; undefined where the stage has none. */
  readonly previewFunctionName?: string | undefined;
}

/** What the two processes of a worker run. */
export interface WorkerPrograms {
  readonly pod: string;
  readonly monitor: string;
}

const sources: WorkerPrograms = { pod: 'demo/comfyui/main.ts', monitor: 'monitor/main.ts' };

/** What `buildWorkers` made in this folder: it starts sooner, and for a quarter of the work, than the sources do. */
export const builtPrograms = (folder: string): WorkerPrograms => ({
  pod: path.join(folder, 'pod.mjs'),
  monitor: path.join(folder, 'monitor.mjs'),
});

const START_TIMEOUT_MS = 20_000;

/** A line of JSON that says the process is ready, with the keys asked for. */
const readyLine = (line: string): Record<string, unknown> | undefined => {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
};

interface Waiting<T> {
  readonly onLine: (line: string) => void;
  readonly ready: (child: Child) => Promise<T>;
}

/** Waits for a line that `pick` accepts; a child that ends first, or takes too long, is an error naming its log. */
const waitForLine = <T>(
  what: string,
  pick: (message: Record<string, unknown>) => T | undefined,
): Waiting<T> => {
  let settle: (value: T) => void = () => {};
  const found = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return {
    onLine: (text) => {
      const message = readyLine(text);
      const picked = message === undefined ? undefined : pick(message);
      if (picked !== undefined) settle(picked);
    },
    ready: async (child) => {
      let timer: NodeJS.Timeout | undefined;
      const failed = (why: string) => new DemoError('child', `${what} ${why}; see ${child.logFile}`);
      const timeout = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(
          () => reject(failed(`is not ready after ${START_TIMEOUT_MS / 1000} s`)),
          START_TIMEOUT_MS,
        );
      });
      const early = child.ended.then((code) => Promise.reject(failed(`ended with ${code ?? 'a signal'}`)));
      try {
        return await Promise.race([found, timeout, early]);
      } finally {
        clearTimeout(timer);
        early.catch(() => {});
      }
    },
  };
};

export interface Pod {
  readonly child: Child;
  readonly url: string;
  readonly outputDir: string;
}

/** Starts one simulated ComfyUI. `stepDelayMs` is the time of one sampling step. */
export const startPod = async (
  name: string,
  options: {
    readonly outputDir: string;
    readonly stepDelayMs: number;
    readonly logDir: string;
    readonly programs?: WorkerPrograms | undefined;
    readonly port?: number;
  },
): Promise<Pod> => {
  const { outputDir, stepDelayMs, logDir, programs = sources, port = 0 } = options;
  const url = waitForLine(`demo pod ${name}`, (message) =>
    message['ready'] === true && typeof message['url'] === 'string' ? message['url'] : undefined,
  );
  const child = startChild({
    name,
    entry: programs.pod,
    args: ['--port', String(port), '--step-delay-ms', String(stepDelayMs), '--output-dir', outputDir],
    logDir,
    onLine: url.onLine,
  });
  return { child, url: await url.ready(child), outputDir };
};

/** Starts the monitor of one ComfyUI and waits until it is connected. */
export const startMonitorProcess = async (
  workerId: string,
  comfyUiUrl: string,
  aws: AwsAccess,
  {
    stateDir,
    logDir,
    programs = sources,
  }: {
    readonly stateDir: string;
    readonly logDir: string;
    readonly programs?: WorkerPrograms | undefined;
  },
  env: Readonly<Record<string, string>> = {},
): Promise<Child> => {
  const { hostname, port, protocol } = new URL(comfyUiUrl);
  const connected = waitForLine(`monitor of ${workerId}`, (message) =>
    message['code'] === 'monitor.connected' ? true : undefined,
  );
  const child = startChild({
    name: `monitor-${workerId}`,
    entry: programs.monitor,
    logDir,
    onLine: connected.onLine,
    env: {
      COMFYUI_HOST: hostname.replace(/^\[|\]$/g, ''),
      COMFYUI_PORT: port || (protocol === 'https:' ? '443' : '80'),
      COMFYUI_PUBLIC_URL: comfyUiUrl,
      EVENTBRIDGE_BUS_NAME: aws.eventBusName,
      AWS_REGION: aws.region,
      PREVIEW_FUNCTION_NAME: aws.previewFunctionName ?? '',
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      WORKER_ID: workerId,
      MONITOR_STATE_DIR: path.join(stateDir, workerId),
      MONITOR_HEALTH_PORT: '0',
      ...env,
    },
  });
  await connected.ready(child);
  return child;
};
