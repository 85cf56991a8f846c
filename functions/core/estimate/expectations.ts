/**
 * What a prompt is expected to take, as its monitor gets it in `extra_data.expected` of POST /prompt and reads it back
 * from /queue after a restart. Times are milliseconds, each `[mean, mean absolute deviation]`.
 */
import { guessedMs } from './guess.ts';
import type { Profile, Stat } from './profile.ts';
import type { ShapeNode, WorkflowShape } from './workflow-shape.ts';

type Time = readonly [meanMs: number, deviationMs: number];
type Times = Readonly<Record<string, Time>>;

export interface Expected {
  /** Node id → its time when no model needs to be loaded. */
  readonly nodes: Times;
  /** Node id → its time in a run that loads a model, where that differs. */
  readonly cold?: Times;
  /** Class → time of each of its nodes that `nodes` had no room for. */
  readonly classes?: Times;
  /** Node id → what a node that nothing is known of weighs in the percentage, and the steps that it counts. */
  readonly guesses?: Readonly<Record<string, readonly [ms: number, steps: number]>>;
  /** Nodes that load a model when they run. */
  readonly loads?: readonly string[];
  /** Time of the whole over the sum of its nodes' times. */
  readonly wall?: number;
}

/** In all under 8 KB. */
const NODES_BYTES = 2800;
const COLD_BYTES = 1600;
const CLASSES_BYTES = 1200;
const LOADS_BYTES = 800;
const GUESSES_BYTES = 1500;

/** Of another workflow: its models and sizes may be others. */
const CLASS_DEVIATION = 0.4;

const round = (ms: number): number => Number(ms.toPrecision(4));

const timeOf = (stat: Stat, work: number, leastDeviation: number): Time => [
  round(stat.mean * work),
  round(Math.max(stat.deviation, stat.mean * leastDeviation) * work),
];

export interface History {
  readonly profile: Profile | undefined;
  readonly classes: Profile | undefined;
}

type Which = 'warm' | 'cold';

/** Of the node itself before its class, of the same case before the other. */
const expectationOf = (id: string, node: ShapeNode, which: Which, history: History): Time | undefined => {
  const { profile, classes } = history;
  const other = which === 'warm' ? 'cold' : 'warm';
  const own = profile?.[which].get(id) ?? profile?.[other].get(id);
  if (own !== undefined) return timeOf(own, node.work, 0);
  const alike = classes?.[which].get(node.classType) ?? classes?.[other].get(node.classType);
  if (alike !== undefined) return timeOf(alike, node.work, CLASS_DEVIATION);
  return profile?.other === undefined ? undefined : timeOf(profile.other, 1, 1);
};

type Known = ReadonlyMap<string, Time>;

const knownTimes = (shape: WorkflowShape, which: Which, history: History): Known =>
  new Map(
    [...shape.nodes].flatMap(([id, node]) => {
      const time = expectationOf(id, node, which, history);
      return time === undefined ? [] : [[id, time] as const];
    }),
  );

const longestFirst = (times: Known): Known => new Map([...times].toSorted(([, a], [, b]) => b[0] - a[0]));

/** As many as fit, and what is left over. */
const split = (times: Known, maxBytes: number): { readonly kept: Known; readonly left: Known } => {
  let bytes = 2;
  const entries = [...times];
  const end = entries.findIndex(([key, time]) => {
    bytes += Buffer.byteLength(JSON.stringify({ [key]: time }));
    return bytes > maxBytes;
  });
  if (end === -1) return { kept: times, left: new Map() };
  return { kept: new Map(entries.slice(0, end)), left: new Map(entries.slice(end)) };
};

const meansByClass = (shape: WorkflowShape, left: Known): Known => {
  const sums = new Map<string, { ms: number; deviation: number; count: number }>();
  for (const [id, [ms, deviation]] of left) {
    const { classType } = shape.nodes.get(id) ?? { classType: '' };
    const sum = sums.get(classType) ?? { ms: 0, deviation: 0, count: 0 };
    sums.set(classType, { ms: sum.ms + ms, deviation: sum.deviation + deviation, count: sum.count + 1 });
  }
  const mean = (sum: number, count: number): number => round(sum / count);
  return new Map(
    [...sums].map(([name, { ms, deviation, count }]) => [name, [mean(ms, count), mean(deviation, count)]]),
  );
};

/** Only what a load makes longer or shorter by a tenth and more than a blink. */
const differing = (cold: Known, warm: Known): Known =>
  new Map(
    [...cold].filter(([id, [ms]]) => {
      const usual = warm.get(id)?.[0] ?? 0;
      return Math.abs(ms - usual) > Math.max(50, usual * 0.1);
    }),
  );

/** Names that an object literal would take for something else are left out: such a node is simply not known. */
const plain = (times: Known): Times => Object.fromEntries([...times].filter(([key]) => key !== '__proto__'));

const loadsOf = (shape: WorkflowShape): readonly string[] => {
  const ids = [...shape.nodes].flatMap(([id, { loadsModel }]) => (loadsModel ? [id] : []));
  let bytes = 2;
  return ids.filter((id) => (bytes += Buffer.byteLength(JSON.stringify(id)) + 1) <= LOADS_BYTES);
};

/** On a worker that is so much slower or faster than an ordinary one, all that is guessed is as well. */
const MOST_SCALE = 50;

/** In proportion to what is known of the same workflow. */
const guessesOf = (shape: WorkflowShape, known: Known): ReadonlyMap<string, readonly [number, number]> => {
  let [actual, guessed] = [0, 0];
  for (const [id, [ms]] of known) {
    const node = shape.nodes.get(id);
    actual += ms;
    guessed += node === undefined ? 0 : guessedMs(node);
  }
  const scale = guessed > 0 ? Math.min(Math.max(actual / guessed, 1 / MOST_SCALE), MOST_SCALE) : 1;
  const unknown = [...shape.nodes].filter(([id]) => !known.has(id));
  return new Map(
    unknown.map(([id, node]) => [id, [round(guessedMs(node) * scale), Math.round(node.steps)] as const]),
  );
};

/** Of the workflow itself alone: how much of another runs in parallel says nothing. */
const wallOf = ({ profile }: History): Stat | undefined => profile?.wall;

/** Where nothing is known of any node, guesses alone. */
export const expectedOf = (shape: WorkflowShape, history: History): Expected => {
  const warm = longestFirst(knownTimes(shape, 'warm', history));
  const guesses = split(longestFirst(guessesOf(shape, warm)), GUESSES_BYTES).kept;
  const { kept, left } = split(warm, NODES_BYTES);
  const cold = split(longestFirst(differing(knownTimes(shape, 'cold', history), warm)), COLD_BYTES).kept;
  const classes = split(meansByClass(shape, left), CLASSES_BYTES).kept;
  const loads = loadsOf(shape);
  const wall = wallOf(history);
  return {
    nodes: plain(kept),
    ...(cold.size === 0 ? {} : { cold: plain(cold) }),
    ...(classes.size === 0 ? {} : { classes: plain(classes) }),
    ...(guesses.size === 0 ? {} : { guesses: plain(guesses) }),
    ...(loads.length === 0 ? {} : { loads }),
    ...(wall === undefined ? {} : { wall: round(wall.mean) }),
  };
};

/** Milliseconds that the whole prompt is expected to take; undefined when a node of it is not known. */
export const expectedTotal = (shape: WorkflowShape, which: Which, history: History): number | undefined => {
  const times = knownTimes(shape, which, history);
  if (times.size < shape.nodes.size) return undefined;
  let sum = 0;
  for (const [id, [ms]] of times) {
    // A warm run takes its models from the cache.
    if (which === 'cold' || shape.nodes.get(id)?.loadsModel !== true) sum += ms;
  }
  return sum * (wallOf(history)?.mean ?? 1);
};
