/** How near each way of telling progress comes to the truth, which is known once the job is over. */
import type { MonitorEvent } from '../../monitor/core/monitor-state.ts';
import type { RecordedPrompt, Recording } from '../../test/fakes/recording.ts';

/** What a watcher sees from `ms` on (milliseconds of the recording). */
export interface Sight {
  readonly ms: number;
  /** 0–100. */
  readonly percentage: number;
  /** Seconds that are left, as told; null is "estimating". */
  readonly eta: { readonly low: number; readonly high: number } | null;
}

export interface Accuracy {
  /** Mean absolute distance to elapsed/total, in points. */
  readonly meanError: number;
  /** Of the time left at a quarter, half and three quarters: error as percent of the whole time; null: estimating. */
  readonly etaErrors: readonly (number | null)[];
  /** Whether the interval held the truth, where one was told. */
  readonly held: readonly boolean[];
  readonly fellBack: number;
}

const QUARTERS = [0.25, 0.5, 0.75] as const;
const SAMPLES = 400;

const sightAt = (sights: readonly Sight[], ms: number): Sight | undefined =>
  sights.findLast((sight) => sight.ms <= ms);

/** A time that was told counts down from there. */
export const accuracyOf = (sights: readonly Sight[], startMs: number, endMs: number): Accuracy => {
  const total = endMs - startMs;
  const times = Array.from({ length: SAMPLES }, (_, index) => (index + 0.5) / SAMPLES);
  const errors = times.map((share) =>
    Math.abs((sightAt(sights, startMs + share * total)?.percentage ?? 0) - share * 100),
  );
  const etas = QUARTERS.map((share) => {
    const now = startMs + share * total;
    const sight = sightAt(sights, now);
    if (sight === undefined || sight.eta === null) return null;
    const passed = (now - sight.ms) / 1000;
    const left = (endMs - now) / 1000;
    const told = Math.max(0, (sight.eta.low + sight.eta.high) / 2 - passed);
    const error = (Math.abs(told - left) * 100_000) / total;
    return { error, held: sight.eta.low - passed <= left && left <= sight.eta.high - passed };
  });
  return {
    meanError: errors.reduce((sum, error) => sum + error, 0) / SAMPLES,
    etaErrors: etas.map((eta) => eta?.error ?? null),
    held: etas.flatMap((eta) => (eta === null ? [] : [eta.held])),
    fellBack: sights.filter(({ percentage }, index) => percentage < (sights[index - 1]?.percentage ?? 0))
      .length,
  };
};

/** What our followers see: one sight an event. */
export const ourSights = (
  events: readonly MonitorEvent[],
  promptId: string,
  epoch: number,
): readonly Sight[] =>
  events.flatMap(({ detailType, detail }): Sight[] => {
    if (detailType !== 'Node Progress Update' || detail.promptId !== promptId) return [];
    const { overallPercentage: percentage, eta } = detail;
    const told = eta ? { low: eta.lowSeconds, high: eta.highSeconds } : null;
    return [{ ms: Date.parse(detail.timestamp) - epoch, percentage, eta: told }];
  });

/** The rule of three, as every progress bar without history does it. */
const byElapsed = (ms: number, startMs: number, percentage: number): Sight => {
  const left = percentage > 0 ? ((ms - startMs) * (100 - percentage)) / percentage / 1000 : undefined;
  return { ms, percentage, eta: left === undefined ? null : { low: left, high: left } };
};

interface Frame {
  readonly ms: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const framesOf = (recording: Recording, promptId: string): readonly Frame[] =>
  recording.socketLines.flatMap(({ ms, text }) =>
    text !== undefined && text.data['prompt_id'] === promptId ? [{ ms, ...text }] : [],
  );

/** Nodes done of nodes in all, each frame as it comes; what is cached counts as done. */
export const sightsByNodes = (recording: Recording, prompt: RecordedPrompt): readonly Sight[] => {
  const done = new Set<string>();
  const total = Math.max(1, Object.keys(prompt.workflow).length);
  let current: string | undefined;
  return framesOf(recording, prompt.promptId).map(({ ms, type, data }) => {
    if (type === 'execution_cached') for (const id of data['nodes'] as string[]) done.add(id);
    if (type === 'executing') {
      if (current !== undefined) done.add(current);
      current = typeof data['node'] === 'string' ? data['node'] : undefined;
    }
    return byElapsed(ms, prompt.startedAt, (100 * done.size) / total);
  });
};

/** The steps of whichever node counts any, each frame as it comes. */
export const sightsBySteps = (recording: Recording, prompt: RecordedPrompt): readonly Sight[] =>
  framesOf(recording, prompt.promptId).flatMap(({ ms, type, data }) =>
    type === 'progress'
      ? [byElapsed(ms, prompt.startedAt, (100 * Number(data['value'])) / Math.max(1, Number(data['max'])))]
      : [],
  );
