/** The workers of one pass, and which of them gets a job. */
import type { JobNeeds } from '../job.ts';
import type { Worker } from '../worker.ts';
import { canRun, missingOf, type WorkerOffer } from '../workflow/needs.ts';
import { quoted } from '../workflow/one-line.ts';
import type { Offers } from './offers.ts';

export interface WorkerPool {
  hasFree(): boolean;
  /** Slots that are free. */
  freeSlots(): number;
  /** Workers that hold nothing and may be given work. */
  idleWorkers(): number;
  /** Whether some worker with a free slot can run it. */
  canPlace(needs: JobNeeds): boolean;
  /**
   * Fewest held first, so idle ones before a prefetch; then those of whom it is known that they can run it; then
   * others than `lastWorkerId`; then the one that was given nothing for longest. Undefined when there is none.
   */
  choose(needs: JobNeeds, jobId: string, lastWorkerId: string | null): Worker | undefined;
  /** Jobs that it holds, as far as this pass knows. */
  heldBy(workerId: string): number;
  /** The job has one of its slots now. */
  take(workerId: string, jobId: string): void;
  /** The job has left it. */
  giveBack(workerId: string, jobId: string): void;
  /** Not to be chosen again in this pass. */
  drop(workerId: string): void;
  /** What the registry says by now of the workers of this pass; one that was dropped stays out. */
  refresh(workers: readonly Worker[]): void;
  /** Whether a worker other than this is known to be able to run it, be it free or not. */
  isKnownToRunElsewhere(needs: JobNeeds, workerId: string): boolean;
  /** What keeps every registered worker from running it, of the one that lacks least; undefined when one can. */
  missing(needs: JobNeeds): readonly string[] | undefined;
}

interface Slot {
  readonly worker: Worker;
  readonly offer: WorkerOffer | undefined;
  held: Set<string>;
  /** Null before the first time. */
  lastAssignedAt: string | null;
  usable: boolean;
}

const hasTags = ({ tags }: Worker, needs: JobNeeds): boolean => needs.tags.every((tag) => tags.includes(tag));

const fits = ({ worker, offer }: Slot, needs: JobNeeds): boolean =>
  hasTags(worker, needs) && (offer === undefined || canRun(needs, offer));

const isUsable = ({ condition, quarantined, avoidUntil }: Worker, now: number): boolean =>
  condition === 'ready' && !quarantined && (avoidUntil === null || Date.parse(avoidUntil) <= now);

const lacks = ({ worker, offer }: Slot, needs: JobNeeds): readonly string[] => [
  ...needs.tags.filter((tag) => !worker.tags.includes(tag)).map((tag) => `tag ${quoted(tag)}`),
  ...(offer === undefined ? [] : missingOf(needs, offer)),
];

const compare = (a: Slot, b: Slot, lastWorkerId: string | null): number =>
  a.held.size - b.held.size ||
  Number(a.offer === undefined) - Number(b.offer === undefined) ||
  Number(a.worker.workerId === lastWorkerId) - Number(b.worker.workerId === lastWorkerId) ||
  (a.lastAssignedAt ?? '').localeCompare(b.lastAssignedAt ?? '') ||
  (a.worker.workerId < b.worker.workerId ? -1 : 1);

const slotsOf = (workers: readonly Worker[], offers: Offers, now: number): Slot[] =>
  workers
    .filter(({ condition, quarantined }) => condition === 'ready' && !quarantined)
    .map((worker) => ({
      worker,
      offer: worker.catalogueHash === null ? undefined : offers.get(worker.catalogueHash),
      held: new Set(worker.held.map(({ jobId }) => jobId)),
      lastAssignedAt: worker.lastAssignedAt,
      usable: isUsable(worker, now),
    }));

/**
 * @param depth slots of a worker in all: 1 and the prefetch depth
 * @param now milliseconds since the epoch
 */
export const createWorkerPool = (
  workers: readonly Worker[],
  offers: Offers,
  { depth, now }: { readonly depth: number; readonly now: () => number },
): WorkerPool => {
  const slots = slotsOf(workers, offers, now());
  const byId = new Map(slots.map((slot) => [slot.worker.workerId, slot]));
  const freeOf = ({ usable, held }: Slot): number => (usable ? Math.max(0, depth - held.size) : 0);
  const free = (): Slot[] => slots.filter((slot) => freeOf(slot) > 0);
  return {
    hasFree: () => slots.some((slot) => freeOf(slot) > 0),
    freeSlots: () => slots.reduce((sum, slot) => sum + freeOf(slot), 0),
    idleWorkers: () => slots.filter(({ usable, held }) => usable && held.size === 0).length,
    canPlace: (needs) => slots.some((slot) => freeOf(slot) > 0 && fits(slot, needs)),
    choose: (needs, jobId, lastWorkerId) =>
      free()
        .filter((slot) => !slot.held.has(jobId) && fits(slot, needs))
        .sort((a, b) => compare(a, b, lastWorkerId))[0]?.worker,
    heldBy: (workerId) => byId.get(workerId)?.held.size ?? 0,
    take: (workerId, jobId) => {
      const slot = byId.get(workerId);
      if (slot === undefined) return;
      slot.held.add(jobId);
      slot.lastAssignedAt = new Date(now()).toISOString();
    },
    giveBack: (workerId, jobId) => void byId.get(workerId)?.held.delete(jobId),
    drop: (workerId) => {
      const slot = byId.get(workerId);
      if (slot !== undefined) slot.usable = false;
    },
    refresh: (fresh) => {
      const ready = new Map(slotsOf(fresh, offers, now()).map((slot) => [slot.worker.workerId, slot]));
      for (const slot of slots) {
        const { held, usable } = ready.get(slot.worker.workerId) ?? { held: slot.held, usable: false };
        slot.held = held;
        slot.usable &&= usable;
      }
    },
    isKnownToRunElsewhere: (needs, workerId) =>
      slots.some(
        (slot) => slot.worker.workerId !== workerId && slot.offer !== undefined && fits(slot, needs),
      ),
    missing: (needs) => {
      if (slots.some((slot) => fits(slot, needs))) return undefined;
      return slots.map((slot) => lacks(slot, needs)).sort((a, b) => a.length - b.length)[0] ?? [];
    },
  };
};
