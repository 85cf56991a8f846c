/** Everything a dispatcher touches, in memory: jobs come in by the real submission, workers by the real registry. */
import { createChokes } from '../../core/dispatch/chokes.ts';
import type { DispatchDependencies, DispatchLimits } from '../../core/dispatch/ports.ts';
import type { DispatchTurns } from '../../core/dispatch/turns.ts';
import type { Job, JobNeeds } from '../../core/job.ts';
import type { JobFile, QueueEntry } from '../../core/ports.ts';
import { acceptTask } from '../../core/submission/accept-task.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { createFaults } from '../../core/test-support/faults.ts';
import {
  createCountingIds,
  createSilentLogger,
  makeRegistration,
  NO_NEEDS,
} from '../../core/test-support/fixtures.ts';
import { createScriptedComfyUi, type Submitted } from '../../core/test-support/scripted-comfyui.ts';
import { createFakeTable } from '../dynamodb/fake-table.ts';
import { createFakePublisher } from '../eventbridge/event-publisher.fake.ts';
import { createFakeRemoteFiles } from '../http/remote-files.fake.ts';
import { createFakeCatalogueStore } from '../s3/catalogue-store.fake.ts';
import { createFakeUploadStore } from '../s3/upload-store.fake.ts';
import { createFakeWorkflowStore } from '../s3/workflow-store.fake.ts';
import { createFakePusher } from '../web-socket/pusher.fake.ts';

export const WORKFLOW = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615}}}';

/** What a job is submitted with; everything else is as a caller who says nothing gets it. */
export interface JobWish {
  readonly userId?: string;
  readonly priority?: number;
  readonly max_retries?: number;
  readonly timeoutSeconds?: number;
  readonly needs?: Partial<JobNeeds>;
  readonly files?: readonly JobFile[];
  readonly workflowText?: string;
}

/** Turns that everybody has at once, as after leases that ran out: nothing but the claims keeps dispatchers apart. */
const everybodysTurn: DispatchTurns = {
  take: async (holder) => ({ holder, wakeUps: 1 }),
  end: async () => true,
  abandon: async () => undefined,
};

/** By default a worker holds what it runs and nothing behind it, and one user may have all workers. */
export const createDispatchWorld = (wanted: Partial<DispatchLimits> = {}) => {
  const limits: DispatchLimits = {
    prefetchDepth: 0,
    maxRunningPerUser: 1000,
    workerLeaseMs: 60_000,
    ...wanted,
  };
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
    clock,
    ids,
    random: () => 0,
    logger,
    limits,
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
  /** ComfyUI crashes and starts again: its queue and its history are gone, and its monitor connects anew. */
  const restartComfyUi = async (workerId: string): Promise<void> => {
    beats += 1;
    const worker = await table.workers.get(workerId);
    if (worker === undefined) throw new Error(`no worker ${workerId}`);
    const { clientId, bootId, endpoint } = worker;
    comfyUi.restart(endpoint);
    await table.workers.register(
      makeRegistration({ workerId, clientId, bootId, endpoint, sequence: beats, timestamp: clock.iso() }),
    );
  };
  /** The prompt of the job's present attempt, where a ComfyUI has it. */
  const livePrompts = (jobId: string): readonly Submitted[] =>
    table
      .allWorkers()
      .flatMap(({ endpoint }) => comfyUi.live(endpoint))
      .filter((prompt) => prompt.promptId === job(jobId).promptId);
  const entriesOf = async (jobId: string): Promise<readonly QueueEntry[]> =>
    (await table.allQueue()).filter((entry) => entry.jobId === jobId);
  /** The dispatcher hears of the end of an attempt. */
  const leave = async (
    workerId: string,
    jobId: string,
    attempt: number,
    durationMs: number | null,
  ): Promise<void> => {
    const held = await table.workers.release(workerId, jobId, attempt);
    if (held !== undefined) await table.shares.release(held.userId, jobId, attempt, durationMs);
  };
  /** ComfyUI finishes the prompt, and its job, its worker and its user's share hear of it. */
  const complete = async (prompt: Submitted, durationMs: number | null = null): Promise<void> => {
    comfyUi.finish(prompt.promptId);
    const { jobId, attempt, promptId } = prompt;
    const workerId = table.allWorkers().find(({ endpoint }) => endpoint === prompt.endpoint)?.workerId ?? '';
    await table.jobs.update({
      guard: { jobId, attempt, promptId, statuses: ['assigned', 'running'] },
      patch: { status: 'completed', completedAt: clock.iso(), durationMs, dueAt: null },
    });
    await leave(workerId, jobId, attempt, durationMs);
  };
  return {
    clock,
    faults,
    table,
    comfyUi,
    publisher,
    pusher,
    workflows,
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
    restartComfyUi,
    livePrompts,
    entriesOf,
    complete,
  };
};
export type DispatchWorld = ReturnType<typeof createDispatchWorld>;

/** A world whose dispatchers race. */
export const createRacingWorld = (limits: Partial<DispatchLimits> = {}): DispatchWorld => {
  const world = createDispatchWorld(limits);
  return { ...world, deps: { ...world.deps, turns: everybodysTurn } };
};
