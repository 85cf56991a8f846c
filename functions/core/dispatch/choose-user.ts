/**
 * Whose turn it is: start-time fair queueing over milliseconds of ComfyUI.
 * (P. Goyal, H. M. Vin, H. Cheng: Start-time Fair Queuing, SIGCOMM 1996.)
 */
import type { UserShare } from '../ports.ts';

/** What a job is expected to take when nothing is known of its user's jobs, milliseconds. */
export const UNKNOWN_COST_MS = 10_000;

/** The greatest start tag of all users: whoever has been away starts here, and saves nothing up. */
export const virtualTimeOf = (shares: readonly UserShare[]): number =>
  shares.reduce((time, { startMs }) => Math.max(time, startMs), 0);

export const startTagOf = ({ finishMs }: UserShare, virtualTime: number): number =>
  Math.max(finishMs, virtualTime);

export const costOf = ({ averageMs }: UserShare): number => averageMs ?? UNKNOWN_COST_MS;

export const mayRun = ({ waitingStamp, paused, active }: UserShare, cap: number): boolean =>
  waitingStamp !== null && !paused && active.length < cap;

/** Those with the least start tag and, among them, the fewest attempts under way. The order is as given. */
export const nextInLine = (shares: readonly UserShare[], virtualTime: number): readonly UserShare[] => {
  const least = Math.min(...shares.map((share) => startTagOf(share, virtualTime)));
  const first = shares.filter((share) => startTagOf(share, virtualTime) === least);
  const fewest = Math.min(...first.map(({ active }) => active.length));
  return first.filter(({ active }) => active.length === fewest);
};

/** At most `size` of them, each as likely as any other, so that nobody is passed over for ever. */
export const sampleOf = <T>(items: readonly T[], size: number, random: () => number): readonly T[] => {
  if (items.length <= size) return items;
  const rest = [...items];
  return Array.from({ length: size }, () => rest.splice(Math.floor(random() * rest.length), 1)).flat();
};
