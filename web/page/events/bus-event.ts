/** An event of the bus as the inspector shows it, and patterns that match such events. */
import { fieldsOf, parseJson, textOf } from '../../client/guards.ts';

export interface BusEvent {
  readonly id: string;
  readonly time: string;
  readonly source: string;
  readonly detailType: string;
  readonly jobId: string | null;
  readonly sequence: number | null;
  /** The whole event, as it came. */
  readonly text: string;
}

export interface EventFilter {
  /** Empty: any. */
  readonly detailType: string;
  /** Part of the source. */
  readonly source: string;
  /** Part of the job's id. */
  readonly job: string;
}

export const NO_FILTER: EventFilter = { detailType: '', source: '', job: '' };

/** Rows that are kept; the oldest go first. */
export const MAX_ROWS = 500;

/** Undefined for what is no EventBridge event. */
export const readBusEvent = (text: string): BusEvent | undefined => {
  const fields = fieldsOf(parseJson(text));
  const [id, detailType, source] = [
    textOf(fields?.['id']),
    textOf(fields?.['detail-type']),
    textOf(fields?.['source']),
  ];
  if (fields === undefined || id === undefined || detailType === undefined || source === undefined)
    return undefined;
  const detail = fieldsOf(fields['detail']);
  const sequence = detail?.['sequence'];
  return {
    id,
    detailType,
    source,
    // EventBridge's own time has whole seconds only.
    time: textOf(detail?.['timestamp']) ?? textOf(fields['time']) ?? '',
    jobId: textOf(detail?.['jobId']) ?? null,
    sequence: typeof sequence === 'number' ? sequence : null,
    text,
  };
};

/** Newest first; a second delivery is not shown twice. */
export const withEvent = (events: readonly BusEvent[], event: BusEvent): readonly BusEvent[] =>
  events.some(({ id }) => id === event.id) ? events : [event, ...events].slice(0, MAX_ROWS);

export const matches = (event: BusEvent, filter: EventFilter): boolean =>
  (filter.detailType === '' || event.detailType === filter.detailType) &&
  event.source.includes(filter.source.trim()) &&
  (event.jobId ?? '').includes(filter.job.trim());

/** A rule's event pattern for events like this one: of any job, and of any monitor where a monitor sent it. */
export const patternFor = ({ source, detailType }: Pick<BusEvent, 'source' | 'detailType'>): string => {
  const monitors = 'comfyui.monitor.';
  const sources = source.startsWith(monitors) ? [{ prefix: monitors }] : [source];
  return JSON.stringify({ source: sources, 'detail-type': [detailType] }, null, 2);
};

/** Indented where it is JSON. Only for the eye: numbers above 2^53 may be rounded. */
export const prettyJson = (text: string): string => {
  const value = parseJson(text);
  return value === undefined ? text : JSON.stringify(value, null, 2);
};
