/** One job as one line: bar, percentage, node with its steps, and how long it will take. */
import type { JobState } from '../web/index.ts';

export interface Outlook {
  readonly queuePosition: number | null;
  readonly etaSeconds: number | null;
}

const WIDTH = 24;

const bar = (percentage: number): string => {
  const full = Math.round((Math.min(100, Math.max(0, percentage)) / 100) * WIDTH);
  return `${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}`;
};

/** `12 s`, `3 min 20 s`, `1 h 5 min`. */
export const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
};

/** Names of nodes come from users: nothing of them may steer a terminal. */
export const printable = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();

const doing = (state: JobState, { queuePosition }: Outlook): string => {
  if (state.status === 'running' && state.progress !== null) {
    const { nodeName, nodeProgress, nodeMaxProgress } = state.progress;
    const steps = nodeMaxProgress > 1 ? ` ${nodeProgress}/${nodeMaxProgress}` : '';
    return `${nodeName}${steps}`;
  }
  if (state.status === 'pending' && state.retry !== null)
    return `attempt ${state.retry.nextAttempt} soon: ${state.failure?.message ?? state.message}`;
  if (state.status === 'pending')
    return queuePosition === null ? 'waiting' : `waiting, number ${queuePosition}`;
  if (state.status === 'unknown') return 'asking';
  return state.status === 'assigned' ? 'assigned to a worker' : state.message || state.status;
};

const remaining = (state: JobState, { etaSeconds }: Outlook): string => {
  const open = state.status === 'pending' || state.status === 'assigned' || state.status === 'running';
  return open && etaSeconds !== null ? `  about ${duration(etaSeconds)}` : '';
};

/** @param columns width of the terminal; the line is cut to it */
export const progressLine = (name: string, state: JobState, outlook: Outlook, columns: number): string => {
  const percentage = state.status === 'completed' ? 100 : Math.floor(state.percentage);
  const text = `${name}  ${bar(percentage)} ${String(percentage).padStart(3)} %  ${printable(doing(state, outlook))}${remaining(state, outlook)}`;
  return Array.from(text).slice(0, Math.max(20, columns)).join('');
};
