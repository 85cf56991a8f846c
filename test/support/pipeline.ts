/** The whole pipeline for one test file, on free ports, and a client of its public API. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { WebSocket } from 'ws';
import {
  pushMessageSchema,
  taskSchema,
  type JobPush,
  type PushMessage,
  type Task,
} from '../../shared-types/index.ts';
import { startDemo, type Demo, type DemoOptions } from '../../demo/start-demo.ts';
import type { Child } from '../../demo/child-processes.ts';
import { startMonitorProcess, startPod, type Pod } from '../../demo/workers.ts';
import { testAssembly, testPrograms } from './assembly.ts';
import { editedAssembly, type FunctionVariables } from './edited-assembly.ts';
import { waitUntil } from './wait.ts';

export interface Pipeline {
  readonly demo: Demo;
  readonly api: TaskClient;
  /** Opens a socket that follows jobs, of the user of the ticket if there is one. */
  watch(ticket?: string): Promise<Watcher>;
  /** One more pod, whose monitor has an environment of its own. */
  addWorker(workerId: string, monitorEnv: Readonly<Record<string, string>>): Promise<Pod>;
  stop(): Promise<void>;
}

export interface TaskClient {
  /** Sends the body as it is; answers status and parsed body. */
  post(body: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  submit(payload: unknown, rest?: Record<string, unknown>): Promise<string>;
  get(id: string): Promise<Task>;
  /** Text of the answer, for what JSON.parse would change. */
  getText(id: string): Promise<string>;
  /** Waits for a terminal status. */
  finished(id: string, timeoutMs?: number): Promise<Task>;
}

const taskClient = (apiUrl: string): TaskClient => {
  const tasks = `${apiUrl}/api/v1/tasks`;
  const post: TaskClient['post'] = async (body) => {
    const response = await fetch(tasks, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const getText = async (id: string): Promise<string> => (await fetch(`${tasks}/${id}`)).text();
  const get = async (id: string): Promise<Task> => taskSchema.parse(JSON.parse(await getText(id)));
  return {
    post,
    getText,
    get,
    submit: async (payload, rest = {}) => {
      const { status, body } = await post(
        JSON.stringify({ workflow_id: 'test', priority: 5, payload, ...rest }),
      );
      if (status !== 201) throw new Error(`submission answered ${status}: ${JSON.stringify(body)}`);
      return String(body['id']);
    },
    finished: (id, timeoutMs = 30_000) =>
      waitUntil(
        async () => {
          const task = await get(id);
          return ['completed', 'failed', 'cancelled'].includes(task.status) && task;
        },
        { what: `the end of task ${id}`, timeoutMs, pollMs: 60, mostPollMs: 800 },
      ),
  };
};

export interface Watcher {
  readonly messages: readonly PushMessage[];
  of(jobId: string): readonly JobPush[];
  follow(jobId: string): void;
  send(text: string): void;
  /** Waits for a message of the job that matches. */
  until(jobId: string, matches: (message: JobPush) => boolean, timeoutMs?: number): Promise<JobPush>;
  readonly closed: () => boolean;
  close(): Promise<void>;
}

/** API Gateway's own answer to a message whose function failed or ran out of time: it is no push of ours. */
const isGatewayError = (message: unknown): boolean =>
  typeof message === 'object' && message !== null && 'requestId' in message && 'connectionId' in message;

const openWatcher = async (url: string): Promise<Watcher> => {
  const socket = new WebSocket(url);
  const messages: PushMessage[] = [];
  // Every push is held against its schema: one that is not in the contract fails the test.
  const broken: unknown[] = [];
  const followed = new Set<string>();
  const follow = (jobId: string): void => {
    followed.add(jobId);
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ action: 'subscribe', jobId }));
  };
  /** Which question failed is not told: whatever was never answered is asked again, as a client does. */
  const askAgain = (): void => {
    const answered = new Set(messages.map((message) => ('jobId' in message ? message.jobId : undefined)));
    for (const jobId of followed) if (!answered.has(jobId)) follow(jobId);
  };
  socket.on('message', (data) => {
    const message: unknown = JSON.parse((data as Buffer).toString('utf8'));
    const read = pushMessageSchema.safeParse(message);
    if (read.success) messages.push(read.data);
    else if (isGatewayError(message)) askAgain();
    else broken.push(read.error.issues);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  const of = (jobId: string): readonly JobPush[] => {
    if (broken.length > 0) throw new Error(`a push broke the contract: ${JSON.stringify(broken)}`);
    return messages.filter(
      (message): message is JobPush => message.type !== 'error' && message.jobId === jobId,
    );
  };
  return {
    messages,
    of,
    follow,
    send: (text) => socket.send(text),
    until: (jobId, matches, timeoutMs = 30_000) =>
      waitUntil(() => of(jobId).find(matches), { what: `a push of ${jobId}`, timeoutMs }),
    closed: () => socket.readyState === WebSocket.CLOSED,
    close: () =>
      new Promise((resolve) => {
        socket.once('close', () => resolve());
        socket.close();
      }),
  };
};

export interface PipelineOptions extends Partial<DemoOptions> {
  /** Settings of functions in which the test differs from the stage. */
  readonly variables?: FunctionVariables;
}

export const startPipeline = async ({ variables, ...options }: PipelineOptions = {}): Promise<Pipeline> => {
  const logDir = await mkdtemp(path.join(os.tmpdir(), 'comfyui-pipeline-logs-'));
  const [assembly, programs] = await Promise.all([testAssembly(), testPrograms()]);
  const demo = await startDemo({
    assembly:
      variables === undefined
        ? assembly
        : await editedAssembly(assembly, path.join(logDir, 'cdk.out'), variables),
    port: 0,
    pods: 1,
    stepDelayMs: 20,
    programs,
    logDir,
    monitorEnv: { MONITOR_PROGRESS_INTERVAL_MS: '100' },
    ...options,
  });
  const watchers: Watcher[] = [];
  const children: Child[] = [];
  return {
    demo,
    api: taskClient(demo.endpoints.apiUrl),
    addWorker: async (workerId, monitorEnv) => {
      const pod = await startPod(workerId, {
        outputDir: path.join(logDir, workerId),
        stepDelayMs: 1,
        logDir,
        programs,
      });
      children.push(pod.child);
      const { awsEndpointUrl: endpoint, awsRegion: region, eventBusName } = demo.endpoints;
      const access = { endpoint, region, eventBusName };
      const dirs = { stateDir: path.join(logDir, 'monitors'), logDir, programs };
      children.push(await startMonitorProcess(workerId, pod.url, access, dirs, monitorEnv));
      return pod;
    },
    watch: async (ticket) => {
      const query = ticket === undefined ? '' : `?ticket=${encodeURIComponent(ticket)}`;
      const watcher = await openWatcher(`${demo.endpoints.webSocketUrl}${query}`);
      watchers.push(watcher);
      return watcher;
    },
    stop: async () => {
      await Promise.all(watchers.filter((watcher) => !watcher.closed()).map((watcher) => watcher.close()));
      for (const child of children.splice(0).toReversed()) await child.stop();
      await demo.stop();
      await rm(logDir, { recursive: true, force: true });
    },
  };
};
