/** Which instances of a pool are terminated now. */
import type { PoolConfig } from './pool-config.ts';
import type { EndReason } from './ports.ts';
import { elapsed, MINUTE_MS, since, type ScalingAction } from './pool-view.ts';
import type { InstanceView } from './refresh.ts';

/** A worker that does not answer is waited for so long: monitors restart, networks come back. */
const UNWELL_MS = 5 * MINUTE_MS;

interface End {
  readonly endReason: EndReason;
  readonly reason: string;
}

const isUnannounced = ({ instance, worker }: InstanceView): boolean =>
  instance.announcedAt === null && worker === undefined;

/** What must go at once, whatever it holds. */
const urgentEnd = (view: InstanceView, config: PoolConfig, now: number): End | undefined => {
  const { instance, seen, worker } = view;
  const state = typeof seen === 'string' ? undefined : seen.state;
  if (instance.condition === 'ending')
    return { endReason: instance.endReason ?? 'gone', reason: 'its end was not confirmed yet' };
  if (state === 'failed' || state === 'stopped')
    return { endReason: 'providerFailed', reason: `its provider says ${state}` };
  if (Date.parse(instance.leaseUntil) <= now) return { endReason: 'leaseEnd', reason: 'its lease is over' };
  if (worker?.quarantined === true)
    return { endReason: 'quarantined', reason: 'its ComfyUI ignored an interrupt' };
  if (instance.unwellSince !== null && since(instance.unwellSince, now) >= UNWELL_MS)
    return { endReason: 'unwell', reason: 'it has not answered for five minutes' };
  if (isUnannounced(view) && since(instance.createdAt, now) >= config.bootMinutes * MINUTE_MS)
    return { endReason: 'bootTimeout', reason: `no worker after ${config.bootMinutes} minutes` };
  return undefined;
};

/** A drained worker that holds nothing, and whose files have been copied. */
const drainedEnd = ({ instance, worker }: InstanceView, config: PoolConfig, now: number): End | undefined => {
  const { drainingSince, idleSince, endReason } = instance;
  const isEmpty = worker !== undefined && worker.condition !== 'ready' && worker.held.length === 0;
  if (drainingSince === null || !isEmpty || idleSince === null) return undefined;
  if (!elapsed(idleSince, config.settleSeconds, now)) return undefined;
  return { endReason: endReason ?? 'idle', reason: 'it is drained and holds nothing' };
};

/** What is to be done about it, if anything. */
export const endOf = (view: InstanceView, config: PoolConfig, now: number): ScalingAction | undefined => {
  const end = urgentEnd(view, config, now) ?? drainedEnd(view, config, now);
  return end === undefined ? undefined : { kind: 'terminate', workerId: view.instance.workerId, ...end };
};
