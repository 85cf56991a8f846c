/** All stores in memory, sharing state as they share the table, with calls that fail on demand. */
import type { DispatchTurns } from '../../core/dispatch/turns.ts';
import type { ProfileStore } from '../../core/estimate/ports.ts';
import type { Job } from '../../core/job.ts';
import type {
  Clock,
  ConnectionStore,
  JobIndex,
  JobStore,
  OutputStore,
  QueueEntry,
  QueueStore,
  ShareStore,
  SubscriptionStore,
  TimelineStore,
  UserShare,
  WorkerStore,
} from '../../core/ports.ts';
import { createFaults, type Faults } from '../../core/test-support/faults.ts';
import type { IdempotencyStore } from '../../core/submission/ports.ts';
import type { Worker } from '../../core/worker.ts';
import { createFakeDispatchTurns } from './dispatch-turns.fake.ts';
import { createFakeConnectionStore } from './connection-store.fake.ts';
import { createFakeIdempotencyStore, type FakeIdempotencyStore } from './idempotency-store.fake.ts';
import { createFakeJobIndex } from './job-index.fake.ts';
import { createFakeInstanceStore, type FakeInstanceStore } from './instance-store.fake.ts';
import { createFakeJobStore } from './job-store.fake.ts';
import { createFakeOutputStore } from './output-store.fake.ts';
import { createFakeProfileStore, type FakeProfileStore } from './profile-store.fake.ts';
import { createFakeQueueStore } from './queue-store.fake.ts';
import { createFakeShareStore } from './share-store.fake.ts';
import { createFakeSubscriptionStore } from './subscription-store.fake.ts';
import { createFakeTimelineStore, type FakeTimelineStore } from './timeline-store.fake.ts';
import { createFakeWorkerStore } from './worker-store.fake.ts';

export interface FakeTable {
  readonly jobs: JobStore;
  readonly subscriptions: SubscriptionStore;
  readonly connections: ConnectionStore;
  /** Jobs by user and jobs that are due; without the lag of a real index. */
  readonly index: JobIndex;
  readonly queue: QueueStore;
  readonly shares: ShareStore;
  readonly turns: DispatchTurns;
  readonly workers: WorkerStore;
  readonly timeline: TimelineStore;
  readonly instances: FakeInstanceStore;
  readonly profiles: ProfileStore;
  readonly outputs: OutputStore;
  readonly idempotency: IdempotencyStore;
  /** Makes the next calls of a store's method reject: `fail('jobs', 'update', 1, 'after')`. */
  readonly fail: Faults['fail'];
  readonly faults: Faults;
  /** What is stored, for assertions; never fails. */
  allJobs(): readonly Job[];
  /** Of all users, in the order that `queueRank` gives them. */
  allQueue(): Promise<readonly QueueEntry[]>;
  allShares(): readonly UserShare[];
  allWorkers(): readonly Worker[];
  readonly transitions: FakeTimelineStore['events'];
  readonly allProfiles: FakeProfileStore['profiles'];
  readonly claims: FakeIdempotencyStore['claims'];
}

/** @param faults shared with other ports when calls are to be counted over all of them */
export const createFakeTable = (clock: Clock, faults: Faults = createFaults()): FakeTable => {
  const jobs = createFakeJobStore({ clock });
  const shares = createFakeShareStore();
  const queue = createFakeQueueStore({ shares });
  const workers = createFakeWorkerStore({ clock });
  const timeline = createFakeTimelineStore();
  const profiles = createFakeProfileStore();
  const idempotency = createFakeIdempotencyStore({ clock });
  return {
    jobs: faults.wrap<JobStore>('jobs', jobs),
    subscriptions: faults.wrap('subscriptions', createFakeSubscriptionStore({ jobs })),
    connections: faults.wrap<ConnectionStore>('connections', createFakeConnectionStore()),
    index: faults.wrap('index', createFakeJobIndex({ jobs })),
    queue: faults.wrap<QueueStore>('queue', queue),
    shares: faults.wrap<ShareStore>('shares', shares),
    turns: faults.wrap('turns', createFakeDispatchTurns({ clock })),
    workers: faults.wrap<WorkerStore>('workers', workers),
    timeline: faults.wrap<TimelineStore>('timeline', timeline),
    instances: createFakeInstanceStore({ clock }),
    profiles: faults.wrap<ProfileStore>('profiles', profiles),
    outputs: faults.wrap<OutputStore>('outputs', createFakeOutputStore()),
    idempotency: faults.wrap<IdempotencyStore>('idempotency', idempotency),
    fail: (name, method, times, time) => faults.fail(name, method, times, time),
    faults,
    allJobs: () => [...jobs.jobs.values()],
    allQueue: async () => queue.all(),
    allShares: () => [...shares.shares.values()],
    allWorkers: () => workers.all(),
    transitions: timeline.events,
    allProfiles: profiles.profiles,
    claims: idempotency.claims,
  };
};
