/** Publishes the control plane's events: in calls that EventBridge takes, entries that were refused alone again. */
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

/** Quotas of one PutEvents call (docs.aws.amazon.com/eventbridge, "PutEvents limits"). */
const MAX_ENTRIES = 10;
const MAX_CALL_BYTES = 256 * 1024;
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 50;

/** @throws PipelineError `event.invalid` when the detail is not what the catalogue says: a defect of ours */
const entryOf = (busName: string, { detailType, detail }: PipelineEvent): PutEventsRequestEntry => {
  const read = eventCatalogue[detailType].schema.safeParse(detail);
  if (!read.success) {
    const issue = read.error.issues[0];
    const what = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`;
    throw new PipelineError('event.invalid', `${detailType}: detail.${what}`, { retryable: false });
  }
  return {
    EventBusName: busName,
    Source: PIPELINE_SOURCE,
    DetailType: detailType,
    Time: new Date(detail.timestamp),
    Detail: JSON.stringify(read.data),
  };
};

/** As EventBridge counts an entry: 14 bytes for the time, and the texts as UTF-8. */
const bytesOf = ({ Source = '', DetailType = '', Detail = '' }: PutEventsRequestEntry): number =>
  14 + Buffer.byteLength(Source) + Buffer.byteLength(DetailType) + Buffer.byteLength(Detail);

/** In order, as few calls as the quotas allow. */
const callsOf = (entries: readonly PutEventsRequestEntry[]): PutEventsRequestEntry[][] => {
  const calls: PutEventsRequestEntry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = bytesOf(entry);
    const current = calls.at(-1);
    if (current === undefined || current.length === MAX_ENTRIES || bytes + size > MAX_CALL_BYTES) {
      calls.push([entry]);
      bytes = size;
    } else {
      current.push(entry);
      bytes += size;
    }
  }
  return calls;
};

const refused = (entries: readonly PutEventsRequestEntry[], answers: readonly PutEventsResultEntry[]) =>
  entries.filter((_, index) => answers[index]?.ErrorCode !== undefined);

export const createEventPublisher = ({
  busName,
  clock,
  random = Math.random,
}: EventPublisherOptions): EventPublisher => {
  const client = new EventBridgeClient({
    maxAttempts: 6,
    requestHandler: { connectionTimeout: 1000, requestTimeout: 5000, throwOnRequestTimeout: true },
  });
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
      for (const call of callsOf(entries)) await send(call);
    },
  };
};
