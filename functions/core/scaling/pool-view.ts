/** What a decision over one pool looks at, and what it may answer. */
import type { WaitingTasks } from './demand.ts';
import type { EndReason, PoolState } from './ports.ts';
import type { InstanceView } from './refresh.ts';

/** All that a decision looks at. Rows are refreshed; those that ended stay in, for the budget. */
export interface PoolView {
  readonly instances: readonly InstanceView[];
  readonly waiting: readonly WaitingTasks[];
  /** Milliseconds that the pool's workers and its helpers still have to do. */
  readonly heldMs: number;
  /** Those of them that hold something. */
  readonly busy: number;
  /** Ready workers that nobody launched and that can do the pool's tasks. */
  readonly helpers: number;
  readonly state: PoolState;
}

export type ScalingAction =
  | {
      readonly kind: 'launch';
      /** Entries of the pool that may be asked, in order: not on hold, and within the budget. */
      readonly candidates: readonly string[];
      /** ISO 8601. */
      readonly leaseUntil: string;
      readonly reason: string;
    }
  | {
      readonly kind: 'drain';
      readonly workerId: string;
      readonly endReason: EndReason;
      readonly reason: string;
    }
  | {
      readonly kind: 'terminate';
      readonly workerId: string;
      readonly endReason: EndReason;
      readonly reason: string;
    }
  | { readonly kind: 'none'; readonly reason: string };

export const MINUTE_MS = 60_000;

export const since = (iso: string | null, now: number): number =>
  iso === null ? Number.POSITIVE_INFINITY : now - Date.parse(iso);

export const elapsed = (iso: string | null, seconds: number, now: number): boolean =>
  since(iso, now) >= seconds * 1000;

export const isEnded = ({ instance }: InstanceView): boolean => instance.condition === 'ended';
export const workerIdOf = ({ instance }: InstanceView): string => instance.workerId;

/** What an operator drained takes no part either, and is left alone until its lease ends. */
export const drains = ({ instance, worker }: InstanceView): boolean =>
  instance.drainingSince !== null || worker?.condition === 'draining';

export const isDying = ({ seen }: InstanceView): boolean =>
  typeof seen !== 'string' && seen.state === 'stopping';

const latest = (times: readonly (string | null)[]): string | null =>
  times.reduce((last, time) => ((time ?? '') > (last ?? '') ? time : last), null);

/** Launches that made nothing leave no row. */
export const lastLaunchOf = ({ instances }: PoolView): string | null =>
  latest(instances.map(({ instance }) => instance.createdAt));

export const lastIdleDrainOf = ({ instances }: PoolView): string | null =>
  latest(instances.map(({ instance }) => (instance.endReason === 'idle' ? instance.drainingSince : null)));
