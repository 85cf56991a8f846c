/** Everything a dispatcher touches, in memory: jobs come in by the real submission, workers by the real registry. */
import { Readable } from 'node:stream';
import type { Job, JobNeeds } from '../../core/job.ts';
import { createFakeTable } from '../dynamodb/fake-table.ts';
import { createFakeStoredWorkflowStore } from '../dynamodb/stored-workflow-store.fake.ts';
import { createFakePublisher } from '../eventbridge/event-publisher.fake.ts';
import { createFakeCatalogueStore } from '../s3/catalogue-store.fake.ts';
import { createFakeUploadStore } from '../s3/upload-store.fake.ts';
import { createFakeWorkflowStore } from '../s3/workflow-store.fake.ts';
import { createFakePusher } from '../web-socket/pusher.fake.ts';
import { createChokes } from '../../core/dispatch/chokes.ts';
import type { DispatchDependencies, DispatchLimits } from '../../core/dispatch/ports.ts';
import type { QueueEntry, RemoteFiles, WorkerRegistration } from '../../core/ports.ts';
import { acceptTask } from '../../core/submission/accept-task.ts';
import { createChokes } from '../../core/dispatch/chokes.ts';
import type { DispatchLimits } from '../../core/dispatch/ports.ts';
import type { JobFile } from '../../core/ports.ts';
import { createFakeRemoteFiles } from '../http/remote-files.fake.ts';
import { createFakeCatalogueStore } from '../s3/catalogue-store.fake.ts';
import { createFakeUploadStore } from '../s3/upload-store.fake.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { createFaults } from '../../core/test-support/faults.ts';
import {
  createCountingIds,
  createSilentLogger,
  makeRegistration,
  NO_NEEDS,
} from '../../core/test-support/fixtures.ts';
import { createScriptedComfyUi, type Submitted } from '../../core/test-support/scripted-comfyui.ts';

export const WORKFLOW = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615}}}';

/** What a job is submitted with; everything else is as a caller who says nothing gets it. */
export interface JobOptions {
  readonly userId?: string;
  readonly priority?: number;
  readonly max_retries?: number;
  readonly timeout_seconds?: number;
  readonly tags?: readonly string[];
  /** JSON text, as it stands in the body. */
  readonly workflow?: string;
}

/** By default a worker holds what it runs and nothing behind it, and one user may have all workers. */
export const createDispatchWorld = (wanted: Partial<DispatchLimits> = {}) => {
  const limits: DispatchLimits = { prefetchDepth: 0, maxRunningPerUser: 1000, ...wanted };
  const clock = createFakeClock();
  const faults = createFaults();
  const table = createFakeTable(clock, faults);
  const comfyUi = createScriptedComfyUi();
  const publisher = createFakePublisher();
  const pusher = createFakePusher();
  const workflows = createFakeWorkflowStore();
  const logger = createSilentLogger();
  const catalogues = createFakeCatalogueStore();
  const uploads = createFakeUploadStore({ clock });
  const remoteFiles = createFakeRemoteFiles();
  const uploads = createFakeUploadStore({ clock });
  const catalogues = createFakeCatalogueStore();
  const remote = new Map<string, string>();
  const remoteFiles: RemoteFiles = {
    open: async (url) => {
      const content = remote.get(url);
      if (content === undefined) return { kind: 'refused', message: 'HTTP 404' };
      return { kind: 'found', body: Readable.from([content]), size: Buffer.byteLength(content) };
    },
  };
  const ids = createCountingIds();
  const deps: DispatchDependencies = {
    ...table,
    comfyUi: faults.wrap('comfyUi', comfyUi),
    publisher: faults.wrap('publisher', publisher),
    pusher: faults.wrap('pusher', pusher),
    workflows: faults.wrap('workflows', workflows),
    uploads: faults.wrap('uploads', uploads),
    remoteFiles: faults.wrap('remoteFiles', remoteFiles),
    catalogues: faults.wrap('catalogues', catalogues),
    limits,
    chokes: createChokes(),
    catalogues: faults.wrap('catalogues', catalogues),
    uploads: faults.wrap('uploads', uploads),
    remoteFiles: faults.wrap('remoteFiles', remoteFiles),
    clock,
    ids,
    random: () => 0,
    logger,
    limits: { ...LIMITS, ...limits },
    chokes: createChokes(),
  };
  let beats = 1;
  const silent = new Set<string>();
  const endpointOf = (workerId: string): string => `http://${workerId}:8188`;

  const addWorker = async (workerId: string, tags: readonly string[] = []): Promise<string> => {
    await table.workers.register(
      makeRegistration({ workerId, clientId: `monitor-${workerId}`, endpoint: endpointOf(workerId), tags }),
    );
    return endpointOf(workerId);
  };
  /** Its catalogue is known from now on. */
  const teach = async (workerId: string, classes: readonly string[]): Promise<void> => {
    const entry = { outputNode: false, required: {}, optional: {}, outputs: null };
    const catalogue = { classes: Object.fromEntries(classes.map((name) => [name, entry])) };
    await catalogues.put(classes.join(), catalogue);
    await table.workers.setCatalogue(workerId, classes.join());
  };
  const addJob = async (wish: JobWish = {}): Promise<string> => {
    const { priority = 5, max_retries: maxRetries = 3, userId = 'user-1', timeoutSeconds = 3600 } = wish;
    const { files = [], workflowText = WORKFLOW } = wish;
    const jobId = ids.uuid();
    const request = {
      jobId,
      userId,
      sessionId: 's',
      workflowId: 'w',
      priority,
      maxRetries,
      timeoutSeconds,
      needs: { ...NO_NEEDS, ...wish.needs },
      fileCount: files.length,
      callbackUrl: null,
      requestHash: null,
      retryOf: null,
    };
    await acceptTask({ request, workflowText, files }, deps);
    return jobId;
  };
  const job = (jobId: string): Job => {
    const found = table.allJobs().find((each) => each.jobId === jobId);
    if (found === undefined) throw new Error(`no job ${jobId}`);
    return found;
  };
  /** Every monitor that is not silent reports. */
  const heartbeat = async (): Promise<void> => {
    beats += 1;
    for (const { workerId, clientId, bootId } of table.allWorkers()) {
      if (silent.has(workerId)) continue;
      const report = { workerId, clientId, bootId, sequence: beats, timestamp: clock.iso() };
      await table.workers.heartbeat({ ...report, available: true });
    }
  };
  /** The prompt of the job's present attempt, where a ComfyUI has it. */
  const livePrompts = (jobId: string): readonly Submitted[] =>
    table
      .allWorkers()
      .flatMap(({ endpoint }) => comfyUi.live(endpoint))
      .filter((prompt) => prompt.promptId === job(jobId).promptId);
  const entriesOf = async (jobId: string): Promise<readonly QueueEntry[]> =>
    (await table.allQueue()).filter((entry) => entry.jobId === jobId);
  /** ComfyUI finishes the prompt, and its job, its worker and its user's share hear of it. */
  const complete = async (prompt: Submitted, durationMs: number | null = null): Promise<void> => {
    comfyUi.finish(prompt.promptId);
    const { jobId, attempt, promptId } = prompt;
    const workerId = table.allWorkers().find(({ endpoint }) => endpoint === prompt.endpoint)?.workerId ?? '';
    await table.jobs.update({
      guard: { jobId, attempt, promptId, statuses: ['assigned', 'running'] },
      patch: { status: 'completed', completedAt: clock.iso(), durationMs, dueAt: null },
    });
    await table.workers.release(workerId, jobId, attempt);
    await table.shares.release(job(jobId).userId, jobId, attempt, durationMs);
  };
  return {
    clock,
    faults,
    table,
    comfyUi,
    publisher,
    pusher,
    workflows,
    uploads,
    catalogues,
    storedWorkflows,
    /** What callers' URLs serve; all others answer 404. */
    remote,
    logger,
    catalogues,
    uploads,
    remoteFiles,
    deps,
    silent,
    teach,
    leave,
    endpointOf,
    addWorker,
    addJob,
    job,
    heartbeat,
    livePrompts,
    entriesOf,
    complete,
  };
};
export type DispatchWorld = ReturnType<typeof createDispatchWorld>;
