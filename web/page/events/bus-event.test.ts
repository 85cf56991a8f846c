import { describe, expect, test } from '@jest/globals';
import {
  MAX_ROWS,
  matches,
  NO_FILTER,
  patternFor,
  readBusEvent,
  withEvent,
  type BusEvent,
} from './bus-event.ts';

const text = (id: string, changes: Record<string, unknown> = {}): string =>
  JSON.stringify({
    id,
    'detail-type': 'Job Started',
    source: 'comfyui.monitor.pod-1',
    time: '2026-01-01T00:00:00Z',
    detail: { jobId: 'job-1', sequence: 3, timestamp: '2026-01-01T00:00:00.123Z' },
    ...changes,
  });
const event = (id: string): BusEvent => readBusEvent(text(id))!;

describe('an event of the bus', () => {
  test('is read with its own, finer time', () => {
    expect(event('1')).toMatchObject({
      detailType: 'Job Started',
      jobId: 'job-1',
      sequence: 3,
      time: '2026-01-01T00:00:00.123Z',
    });
  });

  test.each(['', 'null', '[]', '{', '{"id":1}', '{"id":"1"}', text('1', { source: 5 })])(
    '%j is none',
    (broken) => {
      expect(readBusEvent(broken)).toBeUndefined();
    },
  );

  test.each([{ detail: null }, { detail: 'x' }, { detail: { jobId: 5, sequence: 'x' } }])(
    '%j has no job',
    (changes) => {
      expect(readBusEvent(text('1', changes))).toMatchObject({ jobId: null, sequence: null });
    },
  );

  test('stands once, however often it is delivered, and the oldest go first', () => {
    const once = withEvent(withEvent([], event('a')), event('a'));
    expect(once).toHaveLength(1);
    const many = Array.from({ length: MAX_ROWS + 5 }, (_, n) => event(`e${n}`)).reduce<readonly BusEvent[]>(
      withEvent,
      [],
    );
    expect(many).toHaveLength(MAX_ROWS);
    expect(many[0]!.id).toBe(`e${MAX_ROWS + 4}`);
  });

  test('passes the filters that it matches', () => {
    expect(matches(event('1'), NO_FILTER)).toBe(true);
    expect(matches(event('1'), { detailType: 'Job Started', source: ' pod-1', job: 'job' })).toBe(true);
    expect(matches(event('1'), { ...NO_FILTER, detailType: 'Job Failed' })).toBe(false);
    expect(matches(event('1'), { ...NO_FILTER, source: 'pod-2' })).toBe(false);
    expect(matches(event('1'), { ...NO_FILTER, job: 'other' })).toBe(false);
  });

  test('gives a rule pattern for any monitor, and for the pipeline by its name', () => {
    expect(JSON.parse(patternFor(event('1')))).toEqual({
      source: [{ prefix: 'comfyui.monitor.' }],
      'detail-type': ['Job Started'],
    });
    expect(JSON.parse(patternFor({ source: 'comfyui.pipeline', detailType: 'Task Failed' }))).toEqual({
      source: ['comfyui.pipeline'],
      'detail-type': ['Task Failed'],
    });
  });
});
