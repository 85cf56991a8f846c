import { expect, test } from '@jest/globals';
import { parseSchedule } from './schedule-expression.ts';

const AFTER = new Date('2026-02-27T10:15:30Z'); // a Friday

test.each([
  ['rate(5 minutes)', '2026-02-27T10:20:30'],
  ['rate(1 hour)', '2026-02-27T11:15:30'],
  ['rate(2 days)', '2026-03-01T10:15:30'],
  ['at(2026-03-01T00:00:00)', '2026-03-01T00:00:00'],
  ['cron(0 12 * * ? *)', '2026-02-27T12:00:00'],
  ['cron(15 10 * * ? *)', '2026-02-28T10:15:00'],
  ['cron(0/20 * * * ? *)', '2026-02-27T10:20:00'],
  ['cron(0 18 ? * MON-FRI *)', '2026-02-27T18:00:00'],
  ['cron(0 9 ? * 2 *)', '2026-03-02T09:00:00'],
  ['cron(0 8 1 * ? *)', '2026-03-01T08:00:00'],
  ['cron(0 8 L * ? *)', '2026-02-28T08:00:00'],
  ['cron(0 8 1W 3 ? *)', '2026-03-02T08:00:00'],
  ['cron(0 8 ? * 6L *)', '2026-03-27T08:00:00'],
  ['cron(0 8 ? * 3#2 *)', '2026-03-10T08:00:00'],
  ['cron(0 0 29 FEB ? *)', '2028-02-29T00:00:00'],
  ['cron(5,45 8-10 ? JAN,MAR SUN 2027)', '2027-01-03T08:05:00'],
])('%s fires next at %s', (expression, expected) => {
  expect(parseSchedule(expression).next(AFTER)?.toISOString()).toBe(`${expected}.000Z`);
});

test('a time that has passed never comes', () => {
  expect(parseSchedule('at(2020-01-01T00:00:00)').next(AFTER)).toBeUndefined();
  expect(parseSchedule('cron(0 0 1 1 ? 2020)').next(AFTER)).toBeUndefined();
});

test.each([
  'rate(0 minutes)',
  'rate(1 minutes)',
  'rate(5 minute)',
  'rate(x)',
  'cron(* * * * * *)',
  'cron(0 0 ? * ? *)',
  'cron(61 * * * ? *)',
  'cron(0 0 * * ?)',
  'cron(0 9-8 * * ? *)',
  'at(noon)',
  'every day',
  '',
])('%p is refused', (expression) => {
  expect(() => parseSchedule(expression)).toThrow(/ScheduleExpression is not valid/);
});
