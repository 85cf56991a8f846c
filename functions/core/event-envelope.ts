/** The envelope of EventBridge, parsed and checked once at the edge. */
import * as z from 'zod';
import {
  eventCatalogue,
  isDetailType,
  monitorSource,
  PIPELINE_SOURCE,
  type DetailType,
  type PipelineEvent,
} from '../../shared-types/index.ts';

export type EnvelopeReading =
  | { readonly kind: 'event'; readonly event: PipelineEvent }
  /** It will never be readable: say why, count it, and let it go. */
  | { readonly kind: 'poison'; readonly reason: string; readonly eventId: string | undefined };

const envelopeSchema = z.looseObject({
  id: z.string().optional().catch(undefined),
  source: z.string(),
  'detail-type': z.string(),
  detail: z.unknown(),
});

/** A monitor may speak for its own worker only; IAM pins the source, and this pins the detail to the source. */
const isForged = (source: string, event: PipelineEvent): boolean => {
  if (eventCatalogue[event.detailType].origin === 'pipeline') return source !== PIPELINE_SOURCE;
  return event.detail.workerId === null || source !== monitorSource(event.detail.workerId);
};

/** Far more events than an attempt or a boot can have; a sequence beyond it would shut out all that follow. */
const MAX_SEQUENCE = 1_000_000_000;

const readDetail = (detailType: DetailType, detail: unknown): PipelineEvent | string => {
  const read = eventCatalogue[detailType].schema.safeParse(detail);
  if (read.success && read.data.sequence > MAX_SEQUENCE) return 'detail.sequence: runs too far ahead';
  if (read.success) return { detailType, detail: read.data } as PipelineEvent;
  const issue = read.error.issues[0];
  return `detail.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`;
};

/** Reads an invocation as an event of one of the types accepted. Never throws. */
export const readEnvelope = (input: unknown, accepts: readonly DetailType[]): EnvelopeReading => {
  const envelope = envelopeSchema.safeParse(input);
  if (!envelope.success)
    return { kind: 'poison', reason: 'this is no EventBridge event', eventId: undefined };
  const { id: eventId, source, detail } = envelope.data;
  const detailType = envelope.data['detail-type'];
  const poison = (reason: string): EnvelopeReading => ({ kind: 'poison', reason, eventId });
  if (!isDetailType(detailType) || !accepts.includes(detailType)) {
    return poison(`detail-type ${JSON.stringify(detailType.slice(0, 64))} is not for this function`);
  }
  const event = readDetail(detailType, detail);
  if (typeof event === 'string') return poison(event);
  if (isForged(source, event))
    return poison(`source ${JSON.stringify(source.slice(0, 160))} may not publish this`);
  return { kind: 'event', event };
};
