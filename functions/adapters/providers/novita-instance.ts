/** An instance of Novita as its API tells it, and what of it we keep. */
import * as z from 'zod';
import type { InstanceState, ProviderInstance } from '../../core/providers/worker-provider.ts';
import { readInstanceName } from './novita-runpod-name.ts';

const portMappingSchema = z.object({
  type: z.string().nullish(),
  endpoint: z.string().nullish(),
});

/**
 * https://novita.ai/docs/api-reference/gpu-instance-list-instances and gpu-instance-get-instance, of which only the
 * second tells endpoints and logs. Strict in what tells whose an instance is, mild in all else.
 */
export const novitaInstanceSchema = z.object({
  id: z.string().min(1),
  name: z.string().nullish(),
  status: z.string().nullish(),
  statusError: z.object({ state: z.string().nullish(), message: z.string().nullish() }).nullish().catch(null),
  portMappings: z.array(portMappingSchema).nullish().catch(null),
  connectComponentLog: z.object({ instanceLogAddress: z.string().nullish() }).nullish().catch(null),
});

export const novitaPageSchema = z.object({
  instances: z.array(novitaInstanceSchema),
  total: z
    .union([z.int().min(0), z.string().regex(/^\d+$/).transform(Number)])
    .nullish()
    .catch(null),
});

export type NovitaInstance = z.infer<typeof novitaInstanceSchema>;

const STATES: Readonly<Record<string, InstanceState>> = {
  toCreate: 'starting',
  creating: 'starting',
  pulling: 'starting',
  toStart: 'starting',
  starting: 'starting',
  toRestart: 'starting',
  restarting: 'starting',
  toReset: 'starting',
  resetting: 'starting',
  migrating: 'starting',
  running: 'running',
  toStop: 'stopping',
  stopping: 'stopping',
  freezing: 'stopping',
  toRemove: 'stopping',
  removing: 'stopping',
  exited: 'stopped',
};

/** Deleted: still told of for a while, and costs no more. */
const isRemoved = ({ status }: NovitaInstance): boolean => status === 'removed';

/** On its way out by itself. */
export const isBeingRemoved = ({ status }: NovitaInstance): boolean =>
  status === 'toRemove' || status === 'removing';

/** A word that Novita may yet invent is taken for `starting`: nothing is sent there, and its lease still ends it. */
const stateOf = ({ status, statusError }: NovitaInstance): InstanceState => {
  const known = Object.hasOwn(STATES, status ?? '') ? STATES[status ?? ''] : undefined;
  const state = known ?? 'starting';
  const hasError = (statusError?.state ?? '') !== '' || (statusError?.message ?? '') !== '';
  return hasError && (state === 'starting' || state === 'stopped') ? 'failed' : state;
};

/** An http mapping's endpoint, with or without its scheme. We open no other port than that of ComfyUI. */
export const addressOf = ({ portMappings }: NovitaInstance): string | null => {
  const found = portMappings?.find(({ type, endpoint }) => type === 'http' && (endpoint ?? '') !== '');
  const endpoint = found?.endpoint ?? '';
  const url = endpoint.includes('://') ? endpoint : `https://${endpoint}`;
  if (endpoint === '' || !/^https?:/.test(url) || !URL.canParse(url)) return null;
  return url.replace(/\/+$/, '');
};

/** Undefined for an instance that we did not name, and for one that is gone. */
export const instanceOf = (
  told: NovitaInstance,
  knownAddress: string | null = null,
): ProviderInstance | undefined => {
  const name = readInstanceName(told.name ?? '');
  if (name === undefined || isRemoved(told)) return undefined;
  const state = stateOf(told);
  return {
    instanceId: told.id,
    provider: 'novita',
    pool: name.pool,
    workerId: name.workerId,
    state,
    launchedAt: new Date(name.launchedAt).toISOString(),
    leaseUntil: new Date(name.leaseUntil).toISOString(),
    pricePerHour: name.pricePerHour,
    address: state === 'running' ? (addressOf(told) ?? knownAddress) : null,
  };
};
