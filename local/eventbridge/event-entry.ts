/** One entry of PutEvents: checked as AWS checks it, and turned into the envelope that targets receive. */
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { AwsPlace } from '../contract.ts';

/** Total of all entries of one PutEvents call, in bytes (raised by AWS from 256 KB in January 2026). */
export const MAX_ENTRIES_BYTES = 1_048_576;
export const MAX_ENTRIES = 10;

const entrySchema = z.object({
  Time: z.union([z.number(), z.string()]).nullish(),
  Source: z.string().nullish(),
  Resources: z.array(z.string()).nullish(),
  DetailType: z.string().nullish(),
  Detail: z.string().nullish(),
  EventBusName: z.string().nullish(),
});
export type EventEntry = z.infer<typeof entrySchema>;
export const putEventsSchema = z.object({ Entries: z.array(entrySchema) });

export interface EntryError {
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
}

/** Size in bytes as AWS counts it: time 14, text fields in UTF-8. */
export function entryBytes(entry: EventEntry): number {
  const texts = [entry.Source, entry.DetailType, entry.Detail, ...(entry.Resources ?? [])];
  const time = entry.Time === undefined || entry.Time === null ? 0 : 14;
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), time);
}

/** Why AWS would fail this entry, or undefined. */
export function entryError(entry: EventEntry): EntryError | undefined {
  for (const name of ['Source', 'DetailType', 'Detail'] as const) {
    if ((entry[name] ?? '') === '') {
      return invalid(`Parameter ${name} is not valid. Reason: ${name} is a required argument.`);
    }
  }
  if ((entry.DetailType ?? '').length > 128)
    return invalid('Parameter DetailType is not valid. Reason: too long.');
  if (entry.Source?.startsWith('aws.') === true) {
    return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
  }
  if (!isJsonObject(entry.Detail ?? ''))
    return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
  if (Number.isNaN(timeOf(entry).getTime())) return invalid('Parameter Time is not valid.');
  return undefined;
}

/**
 * The event as JSON text. The detail is put in as it came, so numbers beyond 2^53 keep every digit.
 */
export function envelope(entry: EventEntry, place: AwsPlace, now: Date): { id: string; text: string } {
  const id = randomUUID();
  const head = JSON.stringify({
    version: '0',
    id,
    'detail-type': entry.DetailType ?? '',
    source: entry.Source ?? '',
    account: place.accountId,
    time: isoSeconds(entry.Time === undefined || entry.Time === null ? now : timeOf(entry)),
    region: place.region,
    resources: entry.Resources ?? [],
  });
  return { id, text: `${head.slice(0, -1)},"detail":${entry.Detail ?? '{}'}}` };
}

export function isoSeconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

function timeOf(entry: EventEntry): Date {
  return new Date(typeof entry.Time === 'number' ? entry.Time * 1000 : (entry.Time ?? 0));
}

function isJsonObject(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}

function invalid(message: string): EntryError {
  return { ErrorCode: 'InvalidArgument', ErrorMessage: message };
}
