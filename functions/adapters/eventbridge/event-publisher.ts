/** Publishes the control plane's events: ten a call, entries that were refused alone are sent again. */
import {
  EventBridgeClient,
  PutEventsCommand,
  type PutEventsRequestEntry,
  type PutEventsResultEntry,
} from '@aws-sdk/client-eventbridge';
import { eventCatalogue, PIPELINE_SOURCE, type PipelineEvent } from '../../../shared-types/index.ts';
import { PipelineError } from '../../core/errors.ts';
import type { Clock, EventPublisher } from '../../core/ports.ts';

export interface EventPublisherOptions {
  readonly busName: string;
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter. */
  readonly random?: () => number;
}

const MAX_ENTRIES = 10;
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 50;

const entryOf = (busName: string, { detailType, detail }: PipelineEvent): PutEventsRequestEntry => ({
  EventBusName: busName,
  Source: PIPELINE_SOURCE,
  DetailType: detailType,
  Time: new Date(detail.timestamp),
  Detail: JSON.stringify(eventCatalogue[detailType].schema.parse(detail)),
});

const refused = (entries: readonly PutEventsRequestEntry[], answers: readonly PutEventsResultEntry[]) =>
  entries.filter((_, index) => answers[index]?.ErrorCode !== undefined);

export const createEventPublisher = ({
  busName,
  clock,
  random = Math.random,
}: EventPublisherOptions): EventPublisher => {
  const client = new EventBridgeClient({ maxAttempts: 6 });
  const send = async (entries: readonly PutEventsRequestEntry[]): Promise<void> => {
    let left = entries;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (attempt > 0) await clock.sleep(random() * FIRST_WAIT_MS * 2 ** attempt);
      const { Entries = [], FailedEntryCount = 0 } = await client.send(
        new PutEventsCommand({ Entries: [...left] }),
      );
      if (FailedEntryCount === 0) return;
      left = refused(left, Entries);
    }
    const names = left.map(({ DetailType }) => DetailType).join(', ');
    throw new PipelineError('events.refused', `EventBridge refused ${names} ${ATTEMPTS} times`, {
      retryable: true,
    });
  };
  return {
    publish: async (events) => {
      const entries = events.map((event) => entryOf(busName, event as PipelineEvent));
      for (let start = 0; start < entries.length; start += MAX_ENTRIES) {
        await send(entries.slice(start, start + MAX_ENTRIES));
      }
    },
  };
};
