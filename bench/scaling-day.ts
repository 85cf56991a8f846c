/** A day with bursts: what scaled pools cost and let wait, against pools of a fixed size. Seeded: the same each time. */
import { Command, InvalidArgumentError } from 'commander';
import {
  simulateScaling,
  type SimulatedTask,
  type SimulationResult,
} from '../functions/adapters/test-support/scaling-simulation.ts';
import { requirePools } from '../functions/core/scaling/require-pools.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** mulberry32: small, seeded, and good enough to draw a day. */
const createRandom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Tasks an hour, at each time of the day. */
const rateAt = (second: number): number => {
  const hour = second / HOUR;
  if (hour < 6) return 4;
  if (hour >= 9.5 && hour < 11.5) return 180;
  if (hour >= 14 && hour < 17) return 120;
  if (hour >= 22) return 6;
  return 24;
};
const RATE_MAX = 180;

/** A link was shared: so many tasks within three minutes. */
const FLASH = { at: 20 * HOUR, seconds: 180, tasks: 120 };
const USERS = ['ada', 'ben', 'eve', 'kim'] as const;

/** Log-normal, median 45 s, 10 s to 5 minutes: most pictures are quick, and some are videos. */
const drawSeconds = (random: () => number): number => {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.round(Math.min(300, Math.max(10, 45 * Math.exp(0.6 * normal))));
};

const drawDay = (random: () => number): readonly SimulatedTask[] => {
  const tasks: SimulatedTask[] = [];
  const add = (at: number): void => {
    const userId = USERS[Math.floor(random() * USERS.length)] ?? 'ada';
    tasks.push({ at: Math.floor(at), seconds: drawSeconds(random), userId });
  };
  // Thinning of a Poisson process of the highest rate.
  for (let at = 0; at < DAY;) {
    at += (-Math.log(1 - random()) * HOUR) / RATE_MAX;
    if (at < DAY && random() < rateAt(at) / RATE_MAX) add(at);
  }
  for (let count = 0; count < FLASH.tasks; count += 1) add(FLASH.at + random() * FLASH.seconds);
  return tasks.sort((a, b) => a.at - b.at);
};

interface Options {
  readonly seed: number;
  readonly price: number;
  readonly targetWait: number;
  readonly max: number;
  readonly prefetch: number;
}

const poolOf = (options: Options, overrides: Readonly<Record<string, unknown>>) => {
  const pool = {
    name: 'gpu',
    providers: [{ provider: 'novita', image: 'comfyui', products: ['gpu'], maxPricePerHour: options.price }],
    max: options.max,
    targetWaitSeconds: options.targetWait,
    maxLaunchesPerPass: 4,
    budgetUsdPerDay: null,
    ...overrides,
  };
  const [parsed] = requirePools(JSON.stringify([pool]));
  if (parsed === undefined) throw new Error('one pool');
  return parsed;
};

const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;

const COLUMNS = ['pool', 'cost $', 'idle $', 'p50 s', 'p95 s', 'max s', 'used', 'launches', 'most', 'lost'];

const rowOf = (name: string, result: SimulationResult): readonly string[] => [
  name,
  result.costUsd.toFixed(2),
  result.idleCostUsd.toFixed(2),
  String(quantile(result.waits, 0.5)),
  String(quantile(result.waits, 0.95)),
  String(result.waits.at(-1) ?? 0),
  `${Math.round(result.utilisation * 100)} %`,
  String(result.launches),
  String(result.maxWorkers),
  String(result.interrupted),
];

const printTable = (rows: readonly (readonly string[])[]): void => {
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`;
  const [head = [], ...body] = rows;
  console.log(line(head));
  console.log(`| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  for (const row of body) console.log(line(row));
};

const run = async (options: Options): Promise<void> => {
  const tasks = drawDay(createRandom(options.seed));
  const work = tasks.reduce((sum, { seconds }) => sum + seconds, 0);
  const simulate = (workers: number | ReturnType<typeof poolOf>): Promise<SimulationResult> => {
    const boots = createRandom(options.seed + 1);
    return simulateScaling({
      tasks,
      workers,
      seconds: DAY,
      pricePerHour: options.price,
      prefetchDepth: options.prefetch,
      bootSeconds: () => 90 + Math.floor(boots() * 151),
    });
  };
  const scaled = {
    'scaled, min 0': {},
    'scaled, min 1': { min: 1 },
    'scaled, min 0, idle 60 s': { idleSeconds: 60, settleSeconds: 60 },
    [`scaled, min 0, target ${options.targetWait * 5} s`]: { targetWaitSeconds: options.targetWait * 5 },
    [`scaled, min 0, budget $${(options.price * 30).toFixed(2)}`]: {
      budgetUsdPerDay: options.price * 30,
      leaseMinutes: 60,
    },
  };
  const rows: (readonly string[])[] = [COLUMNS];
  for (const [name, overrides] of Object.entries(scaled))
    rows.push(rowOf(name, await simulate(poolOf(options, overrides))));
  for (const size of [1, 2, 4, 8]) rows.push(rowOf(`fixed ${size}`, await simulate(size)));
  console.log(
    `${tasks.length} tasks, ${(work / HOUR).toFixed(1)} hours of work ($${((work / HOUR) * options.price).toFixed(2)}), seed ${options.seed}`,
  );
  printTable(rows);
};

const numberFrom =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`must be a number from ${min} to ${max}`);
  };
const wholeFrom =
  (min: number, max: number) =>
  (text: string): number => {
    const value = numberFrom(min, max)(text);
    if (Number.isInteger(value)) return value;
    throw new InvalidArgumentError('must be a whole number');
  };

await new Command('scaling-day')
  .description(
    'Simulates 24 hours with two peaks and one flash burst: workers that are scaled by the real rules against fixed pools. Workers boot in 90–240 s and are billed by the second.',
  )
  .option('--seed <n>', 'of the day', wholeFrom(0, 2 ** 31), 1)
  .option('--price <usd>', 'an hour of one worker', numberFrom(0, 1000), 0.5)
  .option('--target-wait <seconds>', 'that the scaled pools aim at', wholeFrom(1, 3600), 120)
  .option('--max <n>', 'workers of the scaled pools', wholeFrom(1, 100), 8)
  .option('--prefetch <n>', 'prompts that wait in each worker', wholeFrom(0, 8), 1)
  .action(run)
  .parseAsync();
