/** `rate(5 minutes)`, `cron(0 12 * * ? *)` and `at(2030-01-02T03:04:05)`, all in UTC. */
import { EmbeddedAwsError } from '../contract.ts';

export interface Schedule {
  /** The first time of firing after `after`, or undefined when there is none left. */
  next(after: Date): Date | undefined;
}

const UNITS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ');
const DAYS = 'SUN MON TUE WED THU FRI SAT'.split(' ');
const LAST_YEAR = 2199;

/** Throws `EmbeddedAwsError` (ValidationException) for an expression that AWS would refuse. */
export function parseSchedule(expression: string): Schedule {
  const [, kind, body = ''] = /^(rate|cron|at)\((.*)\)$/.exec(expression.trim()) ?? [];
  if (kind === 'rate') return parseRate(expression, body);
  if (kind === 'at') return parseAt(expression, body);
  if (kind === 'cron') return parseCron(expression, body.trim().split(/\s+/));
  throw refuse(expression);
}

function parseRate(expression: string, body: string): Schedule {
  const [, digits = '', unit = '', plural] = /^(\d+)\s+(minute|hour|day)(s?)$/.exec(body.trim()) ?? [];
  const count = Number(digits);
  const unitMs = UNITS[unit];
  // AWS insists on `1 minute` and `5 minutes`.
  if (unitMs === undefined || count < 1 || (count === 1) !== (plural === '')) throw refuse(expression);
  return { next: (after) => new Date(after.getTime() + count * unitMs) };
}

function parseAt(expression: string, body: string): Schedule {
  const time = new Date(`${body}Z`);
  if (Number.isNaN(time.getTime())) throw refuse(expression);
  return { next: (after) => (time > after ? time : undefined) };
}

type DayTest = (day: Date) => boolean;

function parseCron(expression: string, fields: readonly string[]): Schedule {
  const [minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = '', year = ''] = fields;
  if (fields.length !== 6 || (dayOfMonth === '?') === (dayOfWeek === '?')) throw refuse(expression);
  const refused = () => refuse(expression);
  const minutes = [...parseField(minute, 0, 59, [], refused)].sort((one, other) => one - other);
  const hours = [...parseField(hour, 0, 23, [], refused)].sort((one, other) => one - other);
  const months = parseField(month, 1, 12, MONTHS, refused);
  const years = parseField(year, 1970, LAST_YEAR, [], refused);
  const onDay = dayOfMonth === '?' ? weekDay(dayOfWeek, refused) : monthDay(dayOfMonth, refused);
  const fits: DayTest = (day) =>
    years.has(day.getUTCFullYear()) && months.has(day.getUTCMonth() + 1) && onDay(day);
  return { next: (after) => nextTime(after, fits, hours, minutes, Math.max(...years)) };
}

function nextTime(
  after: Date,
  fits: DayTest,
  hours: number[],
  minutes: number[],
  lastYear: number,
): Date | undefined {
  const day = new Date(Date.UTC(after.getUTCFullYear(), after.getUTCMonth(), after.getUTCDate()));
  for (; day.getUTCFullYear() <= lastYear; day.setUTCDate(day.getUTCDate() + 1)) {
    if (!fits(day)) continue;
    for (const hour of hours) {
      const minute = minutes.find((one) => day.getTime() + hour * 3_600_000 + one * 60_000 > after.getTime());
      if (minute !== undefined) return new Date(day.getTime() + hour * 3_600_000 + minute * 60_000);
    }
  }
  return undefined;
}

/** Lists, ranges, steps and names of one field, as the set of numbers they stand for. */
function parseField(
  text: string,
  min: number,
  max: number,
  names: readonly string[],
  refused: () => Error,
): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', step = '1'] = part.split('/');
    const [from, to] = bounds(range, min, max, names, part.includes('/'));
    const stride = Number(step);
    if (!(from >= min && to <= max && from <= to && Number.isInteger(stride) && stride > 0)) throw refused();
    for (let value = from; value <= to; value += stride) values.add(value);
  }
  return values;
}

function bounds(
  range: string,
  min: number,
  max: number,
  names: readonly string[],
  stepped: boolean,
): [number, number] {
  if (range === '*') return [min, max];
  const [from = '', to] = range.split('-');
  const first = numberOrName(from, min, names);
  if (to !== undefined) return [first, numberOrName(to, min, names)];
  return [first, stepped ? max : first];
}

function numberOrName(text: string, min: number, names: readonly string[]): number {
  const at = names.indexOf(text.toUpperCase());
  if (at >= 0) return at + min;
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

function monthDay(text: string, refused: () => Error): DayTest {
  if (text === 'L') return (day) => day.getUTCDate() === lastDate(day);
  const [, near] = /^(\d{1,2})W$/.exec(text) ?? [];
  if (near !== undefined) return (day) => day.getUTCDate() === nearestWeekday(day, Number(near));
  const dates = parseField(text, 1, 31, [], refused);
  return (day) => dates.has(day.getUTCDate());
}

/** Sunday is 1, as in AWS; `5L` is the last Thursday of the month, `3#2` its second Tuesday. */
function weekDay(text: string, refused: () => Error): DayTest {
  const [, last] = /^([1-7]|[A-Za-z]{3})L$/.exec(text) ?? [];
  if (last !== undefined) {
    const days = parseField(last, 1, 7, DAYS, refused);
    return (day) => days.has(day.getUTCDay() + 1) && day.getUTCDate() + 7 > lastDate(day);
  }
  const [, nth, count] = /^([1-7]|[A-Za-z]{3})#([1-5])$/.exec(text) ?? [];
  const days = parseField(nth ?? text, 1, 7, DAYS, refused);
  if (count === undefined) return (day) => days.has(day.getUTCDay() + 1);
  return (day) => days.has(day.getUTCDay() + 1) && Math.ceil(day.getUTCDate() / 7) === Number(count);
}

function lastDate(day: Date): number {
  return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).getUTCDate();
}

function nearestWeekday(day: Date, wanted: number): number {
  const date = Math.min(wanted, lastDate(day));
  const weekday = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), date)).getUTCDay();
  if (weekday === 6) return date === 1 ? 3 : date - 1;
  if (weekday === 0) return date === lastDate(day) ? date - 2 : date + 1;
  return date;
}

function refuse(expression: string): EmbeddedAwsError {
  return new EmbeddedAwsError(
    'ValidationException',
    `Parameter ScheduleExpression is not valid: ${expression}`,
  );
}
