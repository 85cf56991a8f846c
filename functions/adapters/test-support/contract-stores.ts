/** The stores of the table, in memory and on dynalite, for contracts that must hold for both. */
import { afterAll, beforeAll } from '@jest/globals';
import type { Logger } from '../../core/ports.ts';
import { createFakeClock, type FakeClock } from '../../core/test-support/fake-clock.ts';
import { uuidOf } from '../../core/test-support/fixtures.ts';
import { createConnectionStore } from '../dynamodb/connection-store.ts';
import { createFakeTable, type FakeTable } from '../dynamodb/fake-table.ts';
import { createJobIndex } from '../dynamodb/job-index.ts';
import { createJobStore } from '../dynamodb/job-store.ts';
import { createOutputStore } from '../dynamodb/output-store.ts';
import { createQueueStore } from '../dynamodb/queue-store.ts';
import { createShareStore } from '../dynamodb/share-store.ts';
import { createSubscriptionStore } from '../dynamodb/subscription-store.ts';
import type { Table } from '../dynamodb/table.ts';
import { createTimelineStore } from '../dynamodb/timeline-store.ts';
import { createWorkerStore } from '../dynamodb/worker-store.ts';
import { systemIds } from '../system.ts';
import { startTable, type TestTable } from './dynalite-table.ts';

export type Stores = Pick<
  FakeTable,
  'jobs' | 'index' | 'subscriptions' | 'connections' | 'queue' | 'shares' | 'workers' | 'timeline' | 'outputs'
>;

export const KINDS = ['in memory', 'on DynamoDB'] as const;

/** The real stores of a table. */
export const storesOf = (table: Table, clock: FakeClock, logger?: Logger): Stores => {
  const options = { table, clock, ids: systemIds, ...(logger === undefined ? {} : { logger }) };
  return {
    jobs: createJobStore(options),
    index: createJobIndex(options),
    subscriptions: createSubscriptionStore(options),
    connections: createConnectionStore(options),
    queue: createQueueStore(options),
    shares: createShareStore(options),
    workers: createWorkerStore(options),
    timeline: createTimelineStore(options),
    outputs: createOutputStore(options),
  };
};

/** A table of this test file, there while its tests run. */
const useTable = (): (() => Table) => {
  let running: TestTable | undefined;
  beforeAll(async () => {
    running = await startTable();
  });
  afterAll(() => running?.stop());
  return () => {
    if (running === undefined) throw new Error('the table is there while tests run');
    return running.table;
  };
};

/** Tests share a table, so each has ids of its own. */
const createFreshIds = (): (() => string) => {
  let serial = 0;
  return () => {
    serial += 1;
    return uuidOf(serial);
  };
};

/** For a test file: its table, ids that no other of its tests has, and new stores of either kind. */
export const useStores = () => {
  const table = useTable();
  return {
    table,
    freshId: createFreshIds(),
    /** With a clock of their own. All of one kind on DynamoDB share the file's table. */
    setUpKind: (kind: string): Stores & { readonly clock: FakeClock } => {
      const clock = createFakeClock();
      return { clock, ...(kind === 'in memory' ? createFakeTable(clock) : storesOf(table(), clock)) };
    },
  };
};
