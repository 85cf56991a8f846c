/**
 * The one place where detail-types are written. Rules, publishers, consumers, JSON Schemas and docs/events.md
 * are generated from it.
 */
import type * as z from 'zod';
import * as monitor from './monitor-events.ts';
import * as task from './task-events.ts';
import { eventExamples } from './event-examples.ts';

/** Who publishes an event: a monitor (`comfyui.monitor.<workerId>`) or the control plane (`comfyui.pipeline`). */
export type EventOrigin = 'monitor' | 'pipeline';

/** The functions that consume events, named as their folders in `functions/`. */
export type EventConsumer =
  | 'monitor-init'
  | 'monitor-stopped'
  | 'job-start'
  | 'job-progress'
  | 'job-completion'
  | 'job-failure'
  | 'dispatch'
  | 'task-metrics'
  | 'deliver-callbacks';

/** How a consumer is retried: EventBridge target limits (docs.aws.amazon.com/eventbridge, rule DLQ). */
export interface DeliveryPolicy {
  /** 0–185. */
  readonly maximumRetryAttempts: number;
  /** 60–86,400 seconds. */
  readonly maximumEventAgeSeconds: number;
}

/** A snapshot that the next one replaces is not worth an hour of retries; a lifecycle event is worth a day. */
const transient: DeliveryPolicy = { maximumRetryAttempts: 2, maximumEventAgeSeconds: 60 };
const durable: DeliveryPolicy = { maximumRetryAttempts: 185, maximumEventAgeSeconds: 86_400 };

export interface CatalogueEntry<S extends z.ZodType = z.ZodType> {
  readonly origin: EventOrigin;
  readonly schema: S;
  readonly consumers: readonly [EventConsumer, ...EventConsumer[]];
  readonly delivery: DeliveryPolicy;
  /** Kept in the bus archive for replay. */
  readonly archived: boolean;
}

export const eventCatalogue = {
  'Monitor Initialized': {
    origin: 'monitor',
    schema: monitor.monitorInitializedSchema,
    consumers: ['monitor-init', 'dispatch'],
    delivery: durable,
    archived: true,
  },
  'Monitor Heartbeat': {
    origin: 'monitor',
    schema: monitor.monitorHeartbeatSchema,
    consumers: ['monitor-init'],
    delivery: transient,
    archived: true,
  },
  'Monitor Stopped': {
    origin: 'monitor',
    schema: monitor.monitorStoppedSchema,
    consumers: ['monitor-stopped'],
    delivery: durable,
    archived: true,
  },
  'Job Started': {
    origin: 'monitor',
    schema: monitor.jobStartedSchema,
    consumers: ['job-start'],
    delivery: durable,
    archived: true,
  },
  'Node Progress Update': {
    origin: 'monitor',
    schema: monitor.nodeProgressUpdateSchema,
    consumers: ['job-progress'],
    delivery: transient,
    archived: false,
  },
  'Node Executing': {
    origin: 'monitor',
    schema: monitor.nodeExecutingSchema,
    consumers: ['job-progress'],
    delivery: transient,
    archived: true,
  },
  'Node Executed': {
    origin: 'monitor',
    schema: monitor.nodeExecutedSchema,
    consumers: ['job-progress'],
    delivery: transient,
    archived: true,
  },
  'Images Generated': {
    origin: 'monitor',
    schema: monitor.imagesGeneratedSchema,
    consumers: ['job-completion'],
    delivery: durable,
    archived: true,
  },
  'Job Completed': {
    origin: 'monitor',
    schema: monitor.jobCompletedSchema,
    consumers: ['job-completion', 'dispatch'],
    delivery: durable,
    archived: true,
  },
  'Job Failed': {
    origin: 'monitor',
    schema: monitor.jobFailedSchema,
    consumers: ['job-failure', 'dispatch'],
    delivery: durable,
    archived: true,
  },
  'Job Cancelled': {
    origin: 'monitor',
    schema: monitor.jobCancelledSchema,
    consumers: ['job-failure', 'dispatch'],
    delivery: durable,
    archived: true,
  },
  'Task Submitted': {
    origin: 'pipeline',
    schema: task.taskSubmittedSchema,
    consumers: ['dispatch'],
    delivery: durable,
    archived: true,
  },
  'Task Dispatched': {
    origin: 'pipeline',
    schema: task.taskDispatchedSchema,
    consumers: ['task-metrics'],
    delivery: transient,
    archived: true,
  },
  'Task Finished Unheard': {
    origin: 'pipeline',
    schema: task.taskFinishedUnheardSchema,
    consumers: ['job-completion'],
    delivery: durable,
    archived: true,
  },
  'Task Retrying': {
    origin: 'pipeline',
    schema: task.taskRetryingSchema,
    consumers: ['dispatch', 'task-metrics'],
    delivery: durable,
    archived: true,
  },
  'Task Completed': {
    origin: 'pipeline',
    schema: task.taskCompletedSchema,
    consumers: ['task-metrics', 'deliver-callbacks'],
    delivery: durable,
    archived: true,
  },
  'Task Failed': {
    origin: 'pipeline',
    schema: task.taskFailedSchema,
    consumers: ['task-metrics', 'deliver-callbacks'],
    delivery: durable,
    archived: true,
  },
  'Task Cancelled': {
    origin: 'pipeline',
    schema: task.taskCancelledSchema,
    consumers: ['dispatch', 'task-metrics', 'deliver-callbacks'],
    delivery: durable,
    archived: true,
  },
} as const satisfies Record<string, CatalogueEntry>;

export type EventCatalogue = typeof eventCatalogue;
export type DetailType = keyof EventCatalogue;
/** The parsed `detail` of one detail-type. */
export type DetailOf<T extends DetailType> = z.infer<EventCatalogue[T]['schema']>;
export type MonitorDetailType = {
  [T in DetailType]: EventCatalogue[T]['origin'] extends 'monitor' ? T : never;
}[DetailType];
export type TaskDetailType = Exclude<DetailType, MonitorDetailType>;

/** One event, tagged by its detail-type: what cores hand to publishers and what consumers get after parsing. */
export type PipelineEvent<T extends DetailType = DetailType> = {
  [K in T]: { readonly detailType: K; readonly detail: DetailOf<K> };
}[T];

export const detailTypes = Object.keys(eventCatalogue) as readonly DetailType[];

/** Narrows an untrusted `detail-type`. */
export const isDetailType = (value: unknown): value is DetailType =>
  typeof value === 'string' && Object.hasOwn(eventCatalogue, value);

/** One valid `detail` of each detail-type, used in docs and tests. */
export const exampleOf = <T extends DetailType>(detailType: T): DetailOf<T> =>
  eventExamples[detailType] as DetailOf<T>;

/** Source of a monitor's events, so that IAM can pin a pod to its own (`events:source`). */
export const monitorSource = (workerId: string): string => `${MONITOR_SOURCE_PREFIX}${workerId}`;
export const MONITOR_SOURCE_PREFIX = 'comfyui.monitor.';
export const PIPELINE_SOURCE = 'comfyui.pipeline';
