import { describe, expect, test } from '@jest/globals';
import { exampleOf } from '../../shared-types/index.ts';
import { METRIC_EVENTS, metricDocument, type MetricEvent } from './task-metrics.ts';

const eventOf = (detailType: MetricEvent['detailType']): MetricEvent =>
  ({ detailType, detail: exampleOf(detailType) }) as MetricEvent;

describe('task metrics', () => {
  test.each(METRIC_EVENTS)(
    '%s declares every metric that it carries, and carries what it declares',
    (detailType) => {
      const document = metricDocument(eventOf(detailType), 'dev', 1_700_000_000_000);
      const { CloudWatchMetrics } = document['_aws'] as {
        CloudWatchMetrics: { Dimensions: string[][]; Metrics: { Name: string }[] }[];
      };
      const names = CloudWatchMetrics[0]!.Metrics.map(({ Name }) => Name);
      expect(names.length).toBeGreaterThan(0);
      for (const name of names) expect(typeof document[name]).toBe('number');
      for (const dimension of CloudWatchMetrics[0]!.Dimensions.flat())
        expect(document[dimension]).toBe('dev');
    },
  );

  test('a completed task reports how long it ran and what was stored', () => {
    const document = metricDocument(eventOf('Task Completed'), 'dev', 1);
    expect(document).toMatchObject({
      TasksCompleted: 1,
      OutputsStored: 1,
      OutputsMissing: 0,
      ExecutionTime: 11_000,
    });
  });

  test('a failed task names its reason', () => {
    expect(metricDocument(eventOf('Task Failed'), 'dev', 1)).toMatchObject({
      TasksFailed: 1,
      reason: 'nodeError',
    });
  });
});
