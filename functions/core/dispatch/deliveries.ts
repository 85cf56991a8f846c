/** Prompts on their way to their workers: many at once, those of one worker in the order in which they were decided. */

export interface Deliveries {
  /** Whether another one may start. */
  hasRoom(): boolean;
  /** Begins `deliver` when what went to that worker before has arrived. */
  start(workerId: string, deliver: () => Promise<void>): void;
  /** Resolves when one of those under way has ended; undefined when none is. */
  next(): Promise<void> | undefined;
}

/** Each holds its workflow in memory, up to 10 MB of text. */
const MAX_UNDER_WAY = 16;

export const createDeliveries = (): Deliveries => {
  const underWay = new Set<Promise<void>>();
  /** The last one of each worker. */
  const last = new Map<string, Promise<void>>();
  return {
    hasRoom: () => underWay.size < MAX_UNDER_WAY,
    start: (workerId, deliver) => {
      const delivery = (last.get(workerId) ?? Promise.resolve()).then(deliver).finally(() => {
        underWay.delete(delivery);
        if (last.get(workerId) === delivery) last.delete(workerId);
      });
      underWay.add(delivery);
      last.set(workerId, delivery);
    },
    next: () => (underWay.size === 0 ? undefined : Promise.race(underWay)),
  };
};
