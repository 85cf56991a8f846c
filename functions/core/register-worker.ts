/** A monitor announces its worker. */
import type { DetailOf } from '../../shared-types/index.ts';
import { workerKind } from './estimate/worker-kind.ts';
import type { Logger, WorkerStore } from './ports.ts';
import type { Instance, InstanceStore } from './scaling/ports.ts';
import { checkWorkerAddress, type AddressCheck, type AddressPolicy } from './worker-address.ts';

export interface RegisterDependencies {
  readonly workers: WorkerStore;
  /** What scaling launched: a pod of a provider may not know where it is reached. */
  readonly instances: Pick<InstanceStore, 'list'>;
  readonly addressPolicy: AddressPolicy;
  readonly logger: Logger;
}

const instanceOf = async (
  workerId: string,
  { instances }: RegisterDependencies,
): Promise<Instance | undefined> => {
  const all = await instances.list();
  return all.find((instance) => instance.workerId === workerId && instance.condition !== 'ended');
};

/**
 * What the monitor announced, where it may be called; else, for an instance that scaling launched, what its provider
 * tells. `pending`: the provider has not told it yet.
 */
const addressOf = async (
  { workerId, comfyuiUrl }: DetailOf<'Monitor Initialized'>,
  deps: RegisterDependencies,
): Promise<AddressCheck | { readonly kind: 'pending' }> => {
  const announced = checkWorkerAddress(comfyuiUrl, deps.addressPolicy);
  if (announced.kind === 'ok') return announced;
  const instance = await instanceOf(workerId, deps);
  if (instance === undefined) return announced;
  return instance.address === null
    ? { kind: 'pending' }
    : checkWorkerAddress(instance.address, deps.addressPolicy);
};

/**
 * Registers the worker unless its address is one that the control plane must not call. Registering twice, or by
 * an older report, changes nothing. `pending`: to be repeated, for its provider will tell its address.
 */
export const registerWorker = async (
  detail: DetailOf<'Monitor Initialized'>,
  deps: RegisterDependencies,
): Promise<'applied' | 'refused' | 'pending'> => {
  const { workers, logger } = deps;
  const { workerId, clientId, bootId, sequence, timestamp, comfyuiVersion } = detail;
  const address = await addressOf(detail, deps);
  if (address.kind === 'pending') return 'pending';
  if (address.kind === 'refused') {
    logger.error('worker.address-refused', { workerId, reason: address.reason });
    return 'refused';
  }
  const report = { workerId, clientId, bootId, sequence, timestamp };
  const { tags = [] } = detail;
  const kind = workerKind(detail.devices);
  const answer = await workers.register({ ...report, endpoint: address.url, comfyuiVersion, tags, kind });
  if (answer === 'applied') logger.info('worker.registered', { workerId, comfyuiVersion });
  return answer;
};
