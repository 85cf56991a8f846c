/**
 * The edge of a function that consumes events. Three fates: what is poison is logged, counted and acknowledged;
 * what fails is thrown, so that Lambda and EventBridge repeat it, and dead-letter it in the end.
 */
import type { DetailType, PipelineEvent } from '../../../shared-types/index.ts';
import { readEnvelope } from '../../core/event-envelope.ts';
import type { Logger } from '../../core/ports.ts';

export interface EventHandlerOptions<T extends DetailType> {
  readonly accepts: readonly T[];
  readonly handle: (event: PipelineEvent<T>) => Promise<void>;
  readonly logger: Logger;
}

export type LambdaHandler = (input: unknown) => Promise<void>;

/** An Embedded Metric Format line: CloudWatch counts what was let go. */
const poisonMetric = () => ({
  _aws: {
    Timestamp: Date.now(),
    CloudWatchMetrics: [
      {
        Namespace: 'ComfyUiPipeline',
        Dimensions: [[]],
        Metrics: [{ Name: 'EventsPoisoned', Unit: 'Count' }],
      },
    ],
  },
  EventsPoisoned: 1,
});

export const eventHandler =
  <T extends DetailType>({ accepts, handle, logger }: EventHandlerOptions<T>): LambdaHandler =>
  async (input) => {
    const reading = readEnvelope(input, accepts);
    if (reading.kind === 'poison') {
      logger.error('event.poison', { eventId: reading.eventId, reason: reading.reason, ...poisonMetric() });
      return;
    }
    try {
      await handle(reading.event as PipelineEvent<T>);
    } catch (error) {
      const { detailType, detail } = reading.event;
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      logger.error('event.failed', { detailType, eventId: detail.eventId, jobId: detail.jobId, reason });
      throw error;
    }
  };
