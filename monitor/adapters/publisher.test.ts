import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { exampleOf, type MonitorDetailType } from '../../shared-types/index.ts';
import { startPutEventsEndpoint, type PutEventsEndpoint } from '../../test/fakes/put-events.ts';
import type { MonitorEvent } from '../core/monitor-state.ts';
import { until } from '../test-support/monitor-bench.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { retryDelay } from './outgoing-lines.ts';
import { Publisher } from './publisher.ts';

let bus: PutEventsEndpoint;
let client: EventBridgeClient;
let metrics: Metrics;
let publisher: Publisher;
let settled: string[];

beforeEach(async () => {
  bus = await startPutEventsEndpoint();
  metrics = createMetrics();
  settled = [];
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  client = new EventBridgeClient({ region: 'eu-west-1', endpoint: bus.url, credentials, maxAttempts: 1 });
  publisher = new Publisher({
    client,
    busName: 'bus',
    workerId: 'pod-1',
    metrics,
    now: Date.now,
    random: () => 0.01,
    settled: (ids) => settled.push(...ids),
    log: { warn: () => undefined },
  });
});
afterEach(async () => {
  await publisher.stop();
  client.destroy();
  await bus.close();
});

let count = 0;
const event = (
  detailType: MonitorDetailType,
  jobId: string,
  sequence: number,
  extra: object = {},
): MonitorEvent => {
  count += 1;
  const eventId = `5f0c3c8e-6a0b-4c43-9a86-${String(count).padStart(12, '0')}`;
  return {
    detailType,
    detail: { ...exampleOf(detailType), eventId, jobId, sequence, ...extra },
  } as MonitorEvent;
};
const told = (jobId: string): unknown[] =>
  bus.accepted.filter((e) => e.detail['jobId'] === jobId).map((e) => e.detail['sequence']);

describe('the publisher', () => {
  test('lets the others pass while the job whose event failed waits, and keeps its order', async () => {
    let refusals = 3;
    bus.judgeEntries((entry) =>
      entry.Detail.includes('"slow"') && (refusals -= 1) >= 0
        ? { kind: 'reject', code: 'InternalFailure' }
        : { kind: 'accept' },
    );
    publisher.enqueue(
      [1, 2, 3].flatMap((n) => [event('Job Started', 'slow', n), event('Job Started', 'quick', n)]),
    );
    await publisher.idle(AbortSignal.timeout(10_000));
    expect([told('slow'), told('quick')]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(bus.accepted.findIndex((e) => e.detail['jobId'] === 'quick')).toBe(0);
    expect(metrics.value('publish_retries_total')).toBe(3);
    expect(settled).toHaveLength(6);
  });

  test('sends at most ten entries and 256 KB in a call', async () => {
    publisher.enqueue(Array.from({ length: 25 }, (_, i) => event('Job Started', `job-${i}`, 1)));
    const big = { padding: 'x'.repeat(60_000) };
    publisher.enqueue(Array.from({ length: 9 }, (_, i) => event('Job Started', `big-${i}`, 1, big)));
    await publisher.idle(AbortSignal.timeout(10_000));
    expect(bus.accepted).toHaveLength(34);
    for (const call of bus.calls) {
      expect(call.length).toBeLessThanOrEqual(10);
      expect(call.reduce((sum, entry) => sum + entry.Detail.length, 0)).toBeLessThanOrEqual(256 * 1024);
    }
  });

  test('finds the one entry for which whole calls are refused, quarantines and counts it', async () => {
    bus.judgeCalls((entries) =>
      entries.some((entry) => entry.Detail.includes('"poison"'))
        ? { kind: 'reject', code: 'ValidationException' }
        : { kind: 'accept' },
    );
    publisher.enqueue([
      event('Job Started', 'a', 1),
      event('Job Started', 'poison', 1),
      event('Job Started', 'b', 1),
    ]);
    await publisher.idle(AbortSignal.timeout(10_000));
    expect(new Set(bus.accepted.map((e) => e.detail['jobId']))).toEqual(new Set(['a', 'b']));
    expect(metrics.value('events_quarantined_total', 'Job Started')).toBe(1);
    expect(settled).toHaveLength(3);
  });

  test('replaces a snapshot that still waits, never one that is on its way', async () => {
    bus.delay(50);
    publisher.enqueue([event('Node Progress Update', 'job', 1)]);
    await until('the first is on its way', () => bus.calls.length === 1);
    for (const n of [2, 3, 4]) publisher.enqueue([event('Node Progress Update', 'job', n)]);
    publisher.enqueue([event('Job Completed', 'job', 5)]);
    await publisher.idle(AbortSignal.timeout(10_000));
    expect(told('job')).toEqual([1, 4, 5]);
    expect(metrics.value('events_superseded_total')).toBe(2);
  });

  test('gives up waiting at its deadline, and nothing is settled that was not accepted', async () => {
    bus.judgeEntries(() => ({ kind: 'reject', code: 'ThrottlingException' }));
    publisher.enqueue([event('Job Started', 'job', 1)]);
    await publisher.idle(AbortSignal.timeout(50));
    expect([settled, bus.accepted]).toEqual([[], []]);
  });
});

test('the delay before a retry doubles to half a minute, and starts longer when throttled', () => {
  const most = () => 1;
  expect([0, 1, 2, 20].map((tries) => retryDelay(tries, false, most))).toEqual([100, 200, 400, 30_000]);
  expect(retryDelay(0, true, most)).toBe(500);
  expect(retryDelay(5, false, () => 0)).toBe(0);
});
