/** The whole pipeline on one machine: embedded AWS, workers, page. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startEmbeddedAws, type EmbeddedAws, type EmbeddedAwsOptions } from '../local/embedded-aws.ts';
import type { Child } from './child-processes.ts';
import { DemoError } from './demo-error.ts';
import { createBusWatch, withBusWatch } from './page-server-bus.ts';
import { startPageServer } from './page-server.ts';
import { startMonitorProcess, startPod, type AwsAccess, type Pod, type WorkerPrograms } from './workers.ts';

export interface DemoOptions {
  /** Cloud assembly of the stage `local`. */
  readonly assembly: string;
  /** Built page; no page is served without it. */
  readonly pageDir?: string;
  /** Port of the task API; the page takes the next one. 0: free ports. */
  readonly port: number;
  /** Real ComfyUIs instead of demo pods. */
  readonly comfyUiUrls?: readonly string[];
  /** Demo pods. */
  readonly pods: number;
  readonly stepDelayMs: number;
  /** Of the workers; their sources without it. */
  readonly programs?: WorkerPrograms;
  /** Keeps state over restarts; a temporary folder when undefined. */
  readonly dataDir?: string;
  readonly logDir: string;
  /** Where `endpoints.json` goes. */
  readonly endpointsFile?: string;
  readonly aws?: Pick<
    EmbeddedAwsOptions,
    'chaos' | 'asyncRetryBaseMs' | 'scheduleScale' | 'functionThreads' | 'log'
  >;
  /** Environment of the monitors, over the demo's own. */
  readonly monitorEnv?: Readonly<Record<string, string>>;
  readonly onStep?: (step: string) => void;
}

export interface Endpoints {
  readonly apiUrl: string;
  readonly webSocketUrl: string;
  readonly pageUrl: string | null;
  readonly eventBusName: string;
  readonly cdnUrl: string;
  readonly comfyUiUrls: readonly string[];
  /** One endpoint serves every emulated service; `AWS_ENDPOINT_URL`. */
  readonly awsEndpointUrl: string;
  readonly awsRegion: string;
  readonly services: Readonly<Record<'eventbridge' | 'dynamodb' | 's3' | 'sqs' | 'lambda', string>>;
  readonly tableName: string;
  readonly mediaBucketName: string;
}

export interface Demo {
  readonly endpoints: Endpoints;
  readonly aws: EmbeddedAws;
  readonly pods: readonly Pod[];
  readonly monitors: readonly Child[];
  /** Starts one more monitored worker. */
  addWorker(workerId: string): Promise<{ readonly pod: Pod; readonly monitor: Child }>;
  stop(): Promise<void>;
}

const outputsOf = (aws: EmbeddedAws): Readonly<Record<string, string | undefined>> =>
  Object.assign({}, ...Object.values(aws.outputs)) as Record<string, string>;

const outputReader = (aws: EmbeddedAws) => {
  const outputs = outputsOf(aws);
  return (name: string): string => {
    const value = outputs[name];
    if (value === undefined) throw new DemoError('outputs', `the template has no output ${name}`);
    return value;
  };
};

/** Stops in reverse order of starting; one that fails does not keep the others running. */
class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = [];
  add(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).toReversed()) await step().catch(() => {});
  }
}

interface Started {
  readonly pods: Pod[];
  readonly monitors: Child[];
}

const startWorkers = async (
  options: DemoOptions,
  access: AwsAccess,
  workDir: string,
  cleanup: Cleanup,
): Promise<Started & { readonly addWorker: Demo['addWorker']; readonly urls: string[] }> => {
  const { logDir, programs } = options;
  const stateDir = path.join(workDir, 'monitors');
  const pods: Pod[] = [];
  const monitors: Child[] = [];
  const urls: string[] = [];
  const addMonitor = async (workerId: string, url: string): Promise<Child> => {
    const monitor = await startMonitorProcess(
      workerId,
      url,
      access,
      { stateDir, logDir, programs },
      options.monitorEnv,
    );
    monitors.push(monitor);
    urls.push(url);
    return monitor;
  };
  const addWorker: Demo['addWorker'] = async (workerId) => {
    const outputDir = path.join(workDir, 'pods', workerId);
    await mkdir(outputDir, { recursive: true });
    const { stepDelayMs } = options;
    const pod = await startPod(workerId, { outputDir, stepDelayMs, logDir, programs });
    pods.push(pod);
    return { pod, monitor: await addMonitor(workerId, pod.url) };
  };
  // Monitors go first, while the bus is up to take their last word; then the pods.
  cleanup.add(() => Promise.all(pods.map(({ child }) => child.stop())));
  cleanup.add(() => Promise.all(monitors.map((monitor) => monitor.stop())));
  const real = options.comfyUiUrls ?? [];
  const starts =
    real.length > 0
      ? real.map((url, index) => addMonitor(`comfyui-${index + 1}`, url))
      : Array.from({ length: options.pods }, (_, index) => addWorker(`pod-${index + 1}`));
  await Promise.all(starts);
  return { pods, monitors, addWorker, urls };
};

const endpointsOf = (aws: EmbeddedAws, pageUrl: string | null, comfyUiUrls: readonly string[]): Endpoints => {
  const output = outputReader(aws);
  const { endpoint } = aws;
  return {
    apiUrl: output('ApiUrl').replace(/\/$/, ''),
    webSocketUrl: output('WebSocketUrl'),
    pageUrl,
    eventBusName: output('EventBusName'),
    cdnUrl: output('CdnUrl'),
    comfyUiUrls,
    awsEndpointUrl: endpoint,
    awsRegion: aws.region,
    services: { eventbridge: endpoint, dynamodb: endpoint, s3: endpoint, sqs: endpoint, lambda: endpoint },
    tableName: output('TableName'),
    mediaBucketName: output('MediaBucketName'),
  };
};

/** The address of the page, or null without one. */
const startPage = async (
  options: DemoOptions,
  aws: EmbeddedAws,
  cleanup: Cleanup,
): Promise<string | null> => {
  if (options.pageDir === undefined) return null;
  const { apiUrl, webSocketUrl } = endpointsOf(aws, null, []);
  const bus = createBusWatch(aws);
  cleanup.add(() => bus.close());
  const content = { folder: options.pageDir, config: { apiUrl, webSocketUrl }, bus };
  const page = await startPageServer(content, options.port === 0 ? 0 : options.port + 1);
  cleanup.add(() => page.close());
  return page.url;
};

const startAws = async (options: DemoOptions, workDir: string): Promise<EmbeddedAws> => {
  try {
    const { assembly, pageDir } = options;
    return await startEmbeddedAws({
      assembly:
        pageDir === undefined ? assembly : await withBusWatch(assembly, path.join(workDir, 'watched')),
      ...(options.dataDir === undefined ? {} : { dataDir: path.join(workDir, 'aws') }),
      distributionPorts: { 'local-comfyui-api': options.port },
      ...options.aws,
    });
  } catch (error) {
    if ((error as { code?: string }).code !== 'PortUnavailable') throw error;
    const message = `port ${options.port} is taken: stop what uses it, or run with PORT=0 for free ports`;
    throw new DemoError('port', message, { cause: error });
  }
};

/** Starts everything; answers once every worker has announced itself. Nothing is left running when it rejects. */
export const startDemo = async (options: DemoOptions): Promise<Demo> => {
  const cleanup = new Cleanup();
  const step = options.onStep ?? (() => {});
  try {
    const workDir = options.dataDir ?? (await mkdtemp(path.join(os.tmpdir(), 'comfyui-pipeline-')));
    if (options.dataDir === undefined) cleanup.add(() => rm(workDir, { recursive: true, force: true }));
    step('starting the embedded AWS');
    const aws = await startAws(options, workDir);
    cleanup.add(() => aws.close());
    const pageUrl = await startPage(options, aws, cleanup);
    step(
      options.comfyUiUrls === undefined
        ? 'starting the demo pods and their monitors'
        : 'starting the monitor',
    );
    const access = {
      endpoint: aws.endpoint,
      region: aws.region,
      eventBusName: outputReader(aws)('EventBusName'),
      previewFunctionName: outputsOf(aws)['PreviewFunctionName'],
    };
    const workers = await startWorkers(options, access, workDir, cleanup);
    await aws.idle();
    const endpoints = endpointsOf(aws, pageUrl, workers.urls);
    if (options.endpointsFile !== undefined) await writeEndpoints(options.endpointsFile, endpoints, cleanup);
    const { pods, monitors, addWorker } = workers;
    return { endpoints, aws, pods, monitors, addWorker, stop: () => cleanup.run() };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
};

/**
 * Written once all is ready, removed on the way out: its presence says that the demo runs. Renamed into place, so that
 * whoever waits for it never reads half of it.
 */
const writeEndpoints = async (file: string, endpoints: Endpoints, cleanup: Cleanup): Promise<void> => {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(endpoints, null, 2)}\n`);
  await rename(`${file}.new`, file);
  cleanup.add(() => rm(file, { force: true }));
};
