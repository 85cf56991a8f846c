/** Times and counts as people read them. */
/** `4.2 s`, `1 min 5 s`, `2 h 3 min`; tenths below ten seconds. */
export const durationText = (milliseconds: number): string => {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (milliseconds < 1) return '< 1 ms';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
};

/** `just now`, `3 min ago`, then the date. */
export const agoText = (iso: string | null, now: number): string => {
  const at = iso === null ? Number.NaN : Date.parse(iso);
  if (Number.isNaN(at)) return '';
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(at).toLocaleDateString(undefined, { dateStyle: 'medium' });
};

export const clockText = (iso: string | null): string => {
  const at = iso === null ? Number.NaN : Date.parse(iso);
  return Number.isNaN(at) ? '' : new Date(at).toLocaleTimeString();
};

export const queueText = (position: number | null): string => {
  if (position === null) return 'Waiting in the queue';
  return position === 1 ? 'Next in the queue' : `Number ${position} in the queue`;
};
