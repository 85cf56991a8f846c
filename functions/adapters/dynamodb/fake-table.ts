/** All stores in memory, sharing state as they share the table, with calls that fail on demand. */
import type { Job } from '../../core/job.ts';
import type {
  Clock,
  ConnectionStore,
  JobStore,
  OutputStore,
  QueueEntry,
  QueueStore,
  SubscriptionStore,
  TimelineStore,
  WorkerStore,
} from '../../core/ports.ts';
import { createFaults, type Faults } from '../../core/test-support/faults.ts';
import type { Worker } from '../../core/worker.ts';
import { createFakeConnectionStore } from './connection-store.fake.ts';
import { createFakeJobStore } from './job-store.fake.ts';
import { createFakeOutputStore } from './output-store.fake.ts';
import { createFakeQueueStore } from './queue-store.fake.ts';
import { createFakeSubscriptionStore } from './subscription-store.fake.ts';
import { createFakeTimelineStore, type FakeTimelineStore } from './timeline-store.fake.ts';
import { createFakeWorkerStore } from './worker-store.fake.ts';

export interface FakeTable {
  readonly jobs: JobStore;
  readonly subscriptions: SubscriptionStore;
  readonly connections: ConnectionStore;
  readonly queue: QueueStore;
  readonly workers: WorkerStore;
  readonly timeline: TimelineStore;
  readonly outputs: OutputStore;
  /** Makes the next calls of a store's method reject: `fail('jobs', 'update', 1, 'after')`. */
  readonly fail: Faults['fail'];
  readonly faults: Faults;
  /** What is stored, for assertions; never fails. */
  allJobs(): readonly Job[];
  /** In the order of dispatch. */
  allQueue(): Promise<readonly QueueEntry[]>;
  allWorkers(): readonly Worker[];
  readonly transitions: FakeTimelineStore['events'];
}

/** @param faults shared with other ports when calls are to be counted over all of them */
export const createFakeTable = (clock: Clock, faults: Faults = createFaults()): FakeTable => {
  const jobs = createFakeJobStore({ clock });
  const queue = createFakeQueueStore();
  const workers = createFakeWorkerStore({ clock });
  const timeline = createFakeTimelineStore();
  return {
    jobs: faults.wrap<JobStore>('jobs', jobs),
    subscriptions: faults.wrap('subscriptions', createFakeSubscriptionStore({ jobs })),
    connections: faults.wrap<ConnectionStore>('connections', createFakeConnectionStore()),
    queue: faults.wrap<QueueStore>('queue', queue),
    workers: faults.wrap<WorkerStore>('workers', workers),
    timeline: faults.wrap<TimelineStore>('timeline', timeline),
    outputs: faults.wrap<OutputStore>('outputs', createFakeOutputStore()),
    fail: (name, method, times, time) => faults.fail(name, method, times, time),
    faults,
    allJobs: () => [...jobs.jobs.values()],
    allQueue: () => queue.list(Number.MAX_SAFE_INTEGER),
    allWorkers: () => [...workers.workers.values()],
    transitions: timeline.events,
  };
};
