/** What the providers and the registry say of an instance, put into its row. */
import type { ProviderInstance } from '../providers/worker-provider.ts';
import { statusOf, type Worker } from '../worker.ts';
import type { Instance } from './ports.ts';

/** `absent`: its provider knows it no more; `unknown`: its provider could not be asked. */
export type Seen = ProviderInstance | 'absent' | 'unknown';

export interface InstanceView {
  readonly instance: Instance;
  readonly seen: Seen;
  readonly worker: Worker | undefined;
}

/**
 * A launch that was not confirmed may still come to be: a call lasts 30 s, a function a minute, and a provider may
 * list an instance later than it made it.
 */
export const UNCONFIRMED_MS = 180_000;

/** Nothing is said by what is empty. */
const isOlder = (iso: string, ms: number, now: number): boolean => now - Date.parse(iso) >= ms;

/** Not confirmed for so long that it is no longer reckoned with, save for what it may cost. */
export const isStale = ({ condition, createdAt }: Instance, now: number): boolean =>
  condition === 'launching' && isOlder(createdAt, UNCONFIRMED_MS, now);

const told = (seen: ProviderInstance): Partial<Instance> => ({
  instanceId: seen.instanceId,
  provider: seen.provider,
  launchedAt: new Date(seen.launchedAt).toISOString(),
  ...(seen.pricePerHour === null ? {} : { pricePerHour: seen.pricePerHour }),
  ...(seen.address === null ? {} : { address: seen.address }),
});

/** Since when it holds nothing. Work that came and went between two looks shows in `lastAssignedAt`. */
const idleSinceOf = ({ idleSince }: Instance, worker: Worker, now: string): string | null => {
  if (worker.held.length > 0) return null;
  const last = worker.lastAssignedAt;
  return idleSince === null || (last !== null && last > idleSince) ? now : idleSince;
};

/** Of each pass, a minute apart: a moving average over some ten minutes. */
const LATEST_WEIGHT = 0.1;

/** Rounded, so that a row whose worker does nothing comes to rest. It begins as busy: nobody is judged unseen. */
const busyShareOf = ({ busyShare }: Instance, worker: Worker): number => {
  const now = worker.held.length > 0 ? 1 : 0;
  return Math.round((busyShare + LATEST_WEIGHT * (now - busyShare)) * 100) / 100;
};

const isUnwell = (worker: Worker): boolean =>
  !worker.quarantined && ['lost', 'failed', 'stopped'].includes(statusOf(worker));

const registered = (instance: Instance, worker: Worker, now: string): Partial<Instance> => ({
  announcedAt: instance.announcedAt ?? now,
  catalogueHash: worker.catalogueHash ?? instance.catalogueHash,
  idleSince: idleSinceOf(instance, worker, now),
  busyShare: busyShareOf(instance, worker),
  unwellSince: isUnwell(worker) ? (instance.unwellSince ?? now) : null,
});

const isAbsent = ({ instance, seen }: InstanceView, now: number): boolean =>
  seen === 'absent' && isOlder(instance.launchedAt ?? instance.createdAt, UNCONFIRMED_MS, now);

/**
 * The row as it now should be; `discard` for a launch of which nothing came.
 * @param now milliseconds since the epoch
 */
export const refresh = (view: InstanceView, now: number): Instance | 'discard' => {
  const { instance, seen, worker } = view;
  const at = new Date(now).toISOString();
  if (instance.condition === 'ended') return instance;
  if (isAbsent(view, now) || (seen === 'absent' && instance.condition === 'ending')) {
    if (instance.condition === 'launching') return 'discard';
    return { ...instance, condition: 'ended', endedAt: at, endReason: instance.endReason ?? 'gone' };
  }
  return {
    ...instance,
    ...(typeof seen === 'string' ? {} : told(seen)),
    ...(typeof seen !== 'string' && instance.condition === 'launching' ? { condition: 'live' } : {}),
    ...(worker === undefined ? {} : registered(instance, worker, at)),
  };
};
