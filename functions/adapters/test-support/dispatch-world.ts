/** Everything a dispatcher touches, in memory: jobs come in by the real submission, workers by the real registry. */
import type { Job } from '../../core/job.ts';
import { createFakeTable } from '../dynamodb/fake-table.ts';
import { createFakePublisher } from '../eventbridge/event-publisher.fake.ts';
import { createFakeWorkflowStore } from '../s3/workflow-store.fake.ts';
import { createFakePusher } from '../web-socket/pusher.fake.ts';
import type { DispatchDependencies } from '../../core/dispatch/ports.ts';
import type { QueueEntry } from '../../core/ports.ts';
import { submitTask } from '../../core/submission/submit-task.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { createFaults } from '../../core/test-support/faults.ts';
import { createCountingIds, createSilentLogger, makeRegistration } from '../../core/test-support/fixtures.ts';
import { createScriptedComfyUi, type Submitted } from '../../core/test-support/scripted-comfyui.ts';

export const WORKFLOW = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615}}}';

export const createDispatchWorld = () => {
  const clock = createFakeClock();
  const faults = createFaults();
  const table = createFakeTable(clock, faults);
  const comfyUi = createScriptedComfyUi();
  const publisher = createFakePublisher();
  const pusher = createFakePusher();
  const workflows = createFakeWorkflowStore();
  const logger = createSilentLogger();
  const deps: DispatchDependencies = {
    ...table,
    comfyUi: faults.wrap('comfyUi', comfyUi),
    publisher: faults.wrap('publisher', publisher),
    pusher: faults.wrap('pusher', pusher),
    workflows: faults.wrap('workflows', workflows),
    clock,
    ids: createCountingIds(),
    random: () => 0,
    logger,
  };
  let beats = 1;
  const silent = new Set<string>();
  const endpointOf = (workerId: string): string => `http://${workerId}:8188`;

  const addWorker = async (workerId: string): Promise<string> => {
    await table.workers.register(
      makeRegistration({ workerId, clientId: `monitor-${workerId}`, endpoint: endpointOf(workerId) }),
    );
    return endpointOf(workerId);
  };
  const addJob = async ({ priority = 5, max_retries = 3 } = {}): Promise<string> => {
    const fields = { workflow_id: 'w', priority, session_id: 's', max_retries };
    const answer = await submitTask({ kind: 'ok', fields, workflowText: WORKFLOW }, 'user-1', deps);
    return answer.id;
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
  /** ComfyUI finishes the prompt, and its job and its worker hear of it. */
  const complete = async (prompt: Submitted): Promise<void> => {
    comfyUi.finish(prompt.promptId);
    const { jobId, attempt, promptId } = prompt;
    const workerId = table.allWorkers().find(({ endpoint }) => endpoint === prompt.endpoint)?.workerId ?? '';
    await table.jobs.update({
      guard: { jobId, attempt, promptId, statuses: ['assigned', 'running'] },
      patch: { status: 'completed', completedAt: clock.iso() },
    });
    await table.workers.release(workerId, jobId, attempt);
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
    deps,
    silent,
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
