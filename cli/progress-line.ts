/** One job as one line: bar, percentage, node with its steps, and how long it will take. */
import type { JobState } from '../web/index.ts';
import { cutTo, displayWidth, printable } from './printable.ts';

export interface Outlook {
  readonly queuePosition: number | null;
  readonly etaSeconds: number | null;
}

const bar = (percentage: number, width: number): string => {
  const full = Math.round((Math.min(100, Math.max(0, percentage)) / 100) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
};

/** What a narrow terminal can spare first. */
const barWidth = (columns: number): number => {
  if (columns >= 90) return 24;
  return columns >= 60 ? 10 : 0;
};

/** `12 s`, `3 min 20 s`, `1 h 5 min`. */
export const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
};

const doing = (state: JobState, { queuePosition }: Outlook): string => {
  if (state.status === 'running' && state.progress !== null) {
    const { nodeName, nodeProgress, nodeMaxProgress } = state.progress;
    return nodeMaxProgress > 1 ? `${nodeName} ${nodeProgress}/${nodeMaxProgress}` : nodeName;
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

/**
 * @param name printable, and padded where lines stand below each other
 * @param columns width of the terminal: the line stays below it, for some wrap a line that fills them
 */
export const progressLine = (name: string, state: JobState, outlook: Outlook, columns: number): string => {
  const room = Math.max(1, columns - 1);
  const percentage = state.status === 'completed' ? 100 : Math.floor(state.percentage);
  const width = barWidth(columns);
  const drawn = width === 0 ? '' : `${bar(percentage, width)} `;
  const head = `${name}  ${drawn}${String(percentage).padStart(3)} %  `;
  const tail = remaining(state, outlook);
  // The estimate is worth more than the end of a long name.
  const middle = cutTo(printable(doing(state, outlook)), Math.max(8, room - displayWidth(head + tail)));
  return cutTo(`${head}${middle}${tail}`, room);
};
