import { describe, expect, test } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { MAX_EVENT_BYTES } from './event-base.ts';
import { detailTypes, eventCatalogue, exampleOf, isDetailType, monitorSource } from './event-catalogue.ts';
import {
  pingRequestExample,
  pushExamples,
  subscribeRequestExample,
  unsubscribeRequestExample,
} from './push-examples.ts';
import {
  pingRequestSchema,
  pushMessageSchema,
  subscribeRequestSchema,
  unsubscribeRequestSchema,
} from './push-messages.ts';
import { submitTaskFieldsSchema } from './task-api.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../test/fixtures/${name}`, import.meta.url), 'utf8');

const keysOf = (value: unknown): string[] => {
  if (Array.isArray(value)) return value.flatMap(keysOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)]);
};

describe('event catalogue', () => {
  test('holds the detail-types of seed 003 to the letter', () => {
    for (const name of [
      'Monitor Initialized',
      'Job Started',
      'Node Progress Update',
      'Node Executing',
      'Node Executed',
      'Images Generated',
      'Job Completed',
      'Job Failed',
      'Monitor Stopped',
    ]) {
      expect(isDetailType(name)).toBe(true);
    }
  });

  test('knows no detail-type of the prototype chain', () => {
    for (const name of ['__proto__', 'constructor', 'toString', '', 'job started', null, 3]) {
      expect(isDetailType(name)).toBe(false);
    }
  });

  test.each(detailTypes)('the example of %s is valid, camelCase and small', (name) => {
    const example = exampleOf(name);
    expect(eventCatalogue[name].schema.parse(example)).toEqual(example);
    for (const key of keysOf(example)) expect(key).toMatch(/^[a-z][A-Za-z0-9]*$/);
    expect(JSON.stringify(example).length).toBeLessThan(MAX_EVENT_BYTES);
  });

  test.each(detailTypes)('%s carries the nine common keys', (name) => {
    expect(Object.keys(exampleOf(name))).toEqual(
      expect.arrayContaining([
        'eventId',
        'schemaVersion',
        'promptId',
        'timestamp',
        'clientId',
        'workerId',
        'jobId',
        'attempt',
        'sequence',
      ]),
    );
  });

  test.each(detailTypes)('%s accepts keys that a later version adds', (name) => {
    const later = { ...exampleOf(name), schemaVersion: '1.7', addedLater: { any: 'thing' } };
    expect(eventCatalogue[name].schema.safeParse(later).success).toBe(true);
    expect(eventCatalogue[name].schema.safeParse({ ...later, schemaVersion: '2.0' }).success).toBe(false);
  });

  test.each(
    readdirSync(new URL('../test/fixtures/events/', import.meta.url)).filter((name) =>
      name.endsWith('.json'),
    ),
  )('events of the released contract keep parsing: %s', (name) => {
    const events = JSON.parse(fixture(`events/${name}`)) as Record<string, unknown>;
    expect(Object.keys(events).length).toBeGreaterThan(10);
    for (const [detailType, detail] of Object.entries(events)) {
      expect(isDetailType(detailType)).toBe(true);
      if (isDetailType(detailType)) eventCatalogue[detailType].schema.parse(detail);
    }
  });

  test('progress that no percentage can be is refused', () => {
    const { schema } = eventCatalogue['Node Progress Update'];
    const example = exampleOf('Node Progress Update');
    for (const overallPercentage of [-1, 101, Number.NaN, Number.POSITIVE_INFINITY, '50', null]) {
      expect(schema.safeParse({ ...example, overallPercentage }).success).toBe(false);
    }
  });

  test('a sequence beyond what a double holds exactly is refused', () => {
    const { schema } = eventCatalogue['Job Started'];
    expect(schema.safeParse({ ...exampleOf('Job Started'), sequence: 2 ** 53 }).success).toBe(false);
  });

  test('a monitor has a source of its own', () => {
    expect(monitorSource('pod-1')).toBe('comfyui.monitor.pod-1');
  });
});

describe('push messages', () => {
  test.each(Object.keys(pushExamples) as (keyof typeof pushExamples)[])(
    'the example of %s is valid',
    (type) => {
      const parsed = pushMessageSchema.parse(pushExamples[type]);
      expect(parsed).toEqual(pushExamples[type]);
      expect(parsed.type).toBe(type);
    },
  );

  test('there is an example of every type', () => {
    const types = pushMessageSchema.options.map((option) => option.shape.type.value);
    expect(Object.keys(pushExamples).sort()).toEqual([...types].sort());
  });

  test('only a uuid is a job to subscribe to', () => {
    expect(subscribeRequestSchema.safeParse(subscribeRequestExample).success).toBe(true);
    expect(unsubscribeRequestSchema.safeParse(unsubscribeRequestExample).success).toBe(true);
    expect(pingRequestSchema.safeParse(pingRequestExample).success).toBe(true);
    for (const jobId of ['*', '', 'x', ['a'], { $ne: null }, null, 7, undefined]) {
      expect(subscribeRequestSchema.safeParse({ action: 'subscribe', jobId }).success).toBe(false);
    }
  });
});

describe('task submission', () => {
  test('fills in what seed 001 leaves out', () => {
    expect(submitTaskFieldsSchema.parse({ workflow_id: 'text_to_image_v1' })).toEqual({
      workflow_id: 'text_to_image_v1',
      priority: 5,
      session_id: 'default',
      max_retries: 3,
      timeout_seconds: 1800,
      tags: [],
    });
  });

  test.each([
    [{}, 'workflow_id'],
    [{ workflow_id: '' }, 'workflow_id'],
    [{ workflow_id: 'a', priority: 11 }, 'priority'],
    [{ workflow_id: 'a', priority: 1.5 }, 'priority'],
    [{ workflow_id: 'a', priority: '5' }, 'priority'],
    [{ workflow_id: 'a', session_id: '../x' }, 'session_id'],
    [{ workflow_id: 'a', session_id: '..' }, 'session_id'],
    [{ workflow_id: 'a', max_retries: -1 }, 'max_retries'],
    [{ workflow_id: 'a', timeout_seconds: 0 }, 'timeout_seconds'],
    [{ workflow_id: 'a', timeout_seconds: 86_401 }, 'timeout_seconds'],
    [{ workflow_id: 'a', callback_url: 'javascript:alert(1)' }, 'callback_url'],
    [{ workflow_id: 'a', tags: ['two words'] }, 'tags'],
    [{ workflow_id: 'a', inputs: [] }, 'inputs'],
  ])('%j is refused by a line that names %s', (body, field) => {
    const read = submitTaskFieldsSchema.safeParse(body);
    expect(read.success).toBe(false);
    expect(read.error?.issues[0]?.message).toContain(field);
  });
});
