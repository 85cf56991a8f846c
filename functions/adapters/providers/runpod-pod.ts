/** A pod of RunPod as its REST API tells it, and what of it we keep. */
import * as z from 'zod';
import type { InstanceState, ProviderInstance } from '../../core/providers/worker-provider.ts';
import { readInstanceName } from './novita-runpod-name.ts';

/**
 * https://docs.runpod.io/api-reference/pods/GET/pods. Strict in what tells whose a pod is, mild in all else: one
 * unreadable price must not hide a pod. The price is a number that the example writes as a string.
 */
export const podSchema = z.object({
  id: z.string().min(1),
  name: z.string().nullish(),
  desiredStatus: z.string().nullish(),
  costPerHr: z
    .union([z.number(), z.string().trim().min(1).transform(Number)])
    .nullish()
    .catch(null),
  ports: z.array(z.string()).nullish().catch(null),
});

export const podsSchema = z.array(podSchema);

export type Pod = z.infer<typeof podSchema>;

/** `TERMINATED` is no instance any more. A word that RunPod may yet invent is not known to be bad: it costs. */
const stateOf = (desiredStatus: string | null | undefined): InstanceState =>
  desiredStatus === 'EXITED' ? 'stopped' : 'running';

/** https://docs.runpod.io/pods/configuration/expose-ports */
const addressOf = ({ id, ports }: Pod): string | null => {
  const port = ports?.map((text) => /^(\d{1,5})\/http$/.exec(text)?.[1]).find((found) => found !== undefined);
  return port === undefined ? null : `https://${id}-${port}.proxy.runpod.net`;
};

const priceOf = ({ costPerHr }: Pod): number | null =>
  typeof costPerHr === 'number' && Number.isFinite(costPerHr) && costPerHr >= 0 ? costPerHr : null;

/** Undefined for a pod that we did not name, and for one that is gone. */
export const instanceOf = (pod: Pod): ProviderInstance | undefined => {
  const told = readInstanceName(pod.name ?? '');
  if (told === undefined || pod.desiredStatus === 'TERMINATED') return undefined;
  const state = stateOf(pod.desiredStatus);
  return {
    instanceId: pod.id,
    provider: 'runpod',
    pool: told.pool,
    workerId: told.workerId,
    state,
    launchedAt: new Date(told.launchedAt).toISOString(),
    leaseUntil: new Date(told.leaseUntil).toISOString(),
    pricePerHour: priceOf(pod),
    address: state === 'running' ? addressOf(pod) : null,
  };
};
