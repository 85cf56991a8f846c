/**
 * Turns task events into CloudWatch metrics, written as Embedded Metric Format log lines: no API call, no wait
 * (docs.aws.amazon.com/AmazonCloudWatch, "Embedded metric format specification").
 */
import type { PipelineEvent } from '../../shared-types/index.ts';

export const METRIC_EVENTS = [
  'Task Dispatched',
  'Task Retrying',
  'Task Completed',
  'Task Failed',
  'Task Cancelled',
] as const;
export type MetricEvent = PipelineEvent<(typeof METRIC_EVENTS)[number]>;

export const METRIC_NAMESPACE = 'ComfyUiPipeline';

interface Metric {
  readonly name: string;
  readonly unit: 'Count' | 'Milliseconds';
  readonly value: number;
}

const count = (name: string, value = 1): Metric => ({ name, unit: 'Count', value });

export const metricsOf = (event: MetricEvent): readonly Metric[] => {
  switch (event.detailType) {
    case 'Task Dispatched':
      return [
        count('TasksDispatched'),
        { name: 'QueueWait', unit: 'Milliseconds', value: event.detail.queuedMs },
      ];
    case 'Task Retrying':
      return [count('TasksRetried')];
    case 'Task Completed': {
      const { durationMs, outputs, missingOutputs } = event.detail;
      const stored = [count('TasksCompleted'), count('OutputsStored', outputs.length)];
      const missing = count('OutputsMissing', missingOutputs.length);
      const duration: readonly Metric[] =
        durationMs === null ? [] : [{ name: 'ExecutionTime', unit: 'Milliseconds', value: durationMs }];
      return [...stored, missing, ...duration];
    }
    case 'Task Failed':
      return [count('TasksFailed')];
    case 'Task Cancelled':
      return [count('TasksCancelled')];
  }
};

/** One EMF document; `nowMs` in milliseconds since the epoch. */
export const metricDocument = (event: MetricEvent, stage: string, nowMs: number): Record<string, unknown> => {
  const metrics = metricsOf(event);
  const { jobId, workerId, workflowId, attempt } = event.detail;
  return {
    _aws: {
      Timestamp: nowMs,
      CloudWatchMetrics: [
        {
          Namespace: METRIC_NAMESPACE,
          Dimensions: [['Stage']],
          Metrics: metrics.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    Stage: stage,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
    jobId,
    workerId,
    workflowId,
    attempt,
    ...('reason' in event.detail ? { reason: event.detail.reason } : {}),
  };
};
