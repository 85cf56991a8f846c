/** The task API with everything behind it in memory: what its functions are called with, and what they answer. */
import type { OperationId } from '../../../shared-types/api-routes.ts';
import type { Job } from '../../core/job.ts';
import type { SubmitDependencies } from '../../core/submission/submit-task.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { createFaults } from '../../core/test-support/faults.ts';
import { createCountingIds, createSilentLogger, makeRegistration } from '../../core/test-support/fixtures.ts';
import { createScriptedComfyUi } from '../../core/test-support/scripted-comfyui.ts';
import type { AddressPolicy } from '../../core/worker-address.ts';
import type { Catalogue } from '../../core/workflow/catalogue.ts';
import { createFakeTable } from '../dynamodb/fake-table.ts';
import { createFakeStoredWorkflowStore } from '../dynamodb/stored-workflow-store.fake.ts';
import { createFakePublisher } from '../eventbridge/event-publisher.fake.ts';
import type { HttpHandler } from '../http/http-handler.ts';
import { createFakeCatalogueStore } from '../s3/catalogue-store.fake.ts';
import { createFakeUploadStore } from '../s3/upload-store.fake.ts';
import { createFakeWorkflowStore } from '../s3/workflow-store.fake.ts';
import { createFakePusher } from '../web-socket/pusher.fake.ts';
import { apiEvent, type ApiCall } from './api-event.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
  /** The body as JSON; undefined without one. */
  readonly json: unknown;
}

/** Calls one handler and reads its answer. */
export const createCaller =
  (handler: HttpHandler) =>
  async (operation: OperationId, call: ApiCall = {}): Promise<ApiAnswer> => {
    const { statusCode = 0, body: text = '' } = await handler(apiEvent(operation, call));
    return { status: statusCode, text, json: text === '' ? undefined : JSON.parse(text) };
  };

const never = (): Promise<void> => new Promise(() => undefined);

/** @param outboundPolicy of callback URLs and files by URL */
export const createApiWorld = (outboundPolicy: AddressPolicy = 'public') => {
  const clock = createFakeClock();
  const faults = createFaults();
  const table = createFakeTable(clock, faults);
  const workflows = createFakeWorkflowStore();
  const uploads = createFakeUploadStore({ clock });
  const storedWorkflows = createFakeStoredWorkflowStore();
  const catalogues = createFakeCatalogueStore();
  const publisher = createFakePublisher();
  const comfyUi = createScriptedComfyUi();
  const logger = createSilentLogger();
  const ports = {
    ...table,
    workflows: faults.wrap('workflows', workflows),
    uploads: faults.wrap('uploads', uploads),
    storedWorkflows: faults.wrap('storedWorkflows', storedWorkflows),
    catalogues: faults.wrap('catalogues', catalogues),
    comfyUi,
    publisher,
    pusher: createFakePusher(),
    outboundPolicy,
    clock,
    ids: createCountingIds(),
    random: () => 0,
    logger,
  };
  // Time does not run out while a test waits for the catalogues, unless it says so.
  const submitPorts: SubmitDependencies = { ...ports, clock: { ...clock, sleep: never } };

  const addWorker = async (workerId: string, catalogue?: Catalogue, tags: readonly string[] = []) => {
    await table.workers.register(makeRegistration({ workerId, tags }));
    if (catalogue === undefined) return;
    await catalogues.put(`hash-${workerId}`, catalogue);
    await table.workers.setCatalogue(workerId, `hash-${workerId}`);
  };

  /** What was stored of a job; fails the test when there is none. */
  const jobOf = (jobId: string): Job => {
    const job = table.allJobs().find((each) => each.jobId === jobId);
    if (job === undefined) throw new Error(`there is no job ${jobId}`);
    return job;
  };

  return {
    clock,
    faults,
    table,
    workflows,
    uploads,
    storedWorkflows,
    catalogues,
    publisher,
    comfyUi,
    logger,
    ports,
    submitPorts,
    addWorker,
    jobOf,
  };
};
