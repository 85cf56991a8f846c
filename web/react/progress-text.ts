/** Numbers as people say them. */
import type { Eta } from '../../shared-types/index.ts';
import type { GenerationProgress } from './generation-view.ts';

/** Rounded down, so that 100% is only read at the end. */
export const wholePercent = (percentage: number): number => Math.floor(percentage);

interface Unit {
  readonly name: string;
  readonly seconds: number;
  /** Rounded to multiples of so many units. */
  readonly grain: number;
}

const unitOf = (seconds: number): Unit => {
  if (seconds < 10) return { name: 's', seconds: 1, grain: 1 };
  if (seconds < 90) return { name: 's', seconds: 1, grain: 5 };
  if (seconds < 5400) return { name: 'min', seconds: 60, grain: 1 };
  return { name: 'h', seconds: 3600, grain: 1 };
};

/** `about 20–30 s left`; `estimating the time left` where nobody can tell. */
export const etaText = (eta: Eta | null): string => {
  if (eta === null) return 'estimating the time left';
  const { name, seconds, grain } = unitOf(eta.highSeconds);
  const inUnits = (value: number): number => Math.max(1, Math.round(value / seconds / grain)) * grain;
  const low = inUnits(eta.lowSeconds);
  const high = Math.max(low, inUnits(eta.highSeconds));
  if (eta.highSeconds < 1) return 'a moment left';
  return low === high ? `about ${high} ${name} left` : `about ${low}–${high} ${name} left`;
};

/** `3 ms`, `0.4 s`, `12 s`, `2 min 05 s`. */
export const durationText = (ms: number): string => {
  if (ms < 1) return '< 1 ms';
  if (ms < 100) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
};

/** `15/20 steps`; empty where no steps are counted. */
export const stepsText = ({ step, steps }: Pick<GenerationProgress, 'step' | 'steps'>): string =>
  steps > 0 ? `${step}/${steps} steps` : '';

/** `4 of 7 nodes (2 cached)`; empty while unknown. */
export const nodesText = ({ completedNodes, totalNodes, cachedNodes }: GenerationProgress): string => {
  if (totalNodes === 0) return '';
  const cached = cachedNodes > 0 ? ` (${cachedNodes} cached)` : '';
  return `${completedNodes} of ${totalNodes} nodes${cached}`;
};

/** `Next in the queue`, `Number 3 in the queue`; empty where there is no place. */
export const queueText = (position: number | null): string => {
  if (position === null) return '';
  return position === 1 ? 'Next in the queue' : `Number ${position} in the queue`;
};
