/** A monitor announces its worker. */
import type { DetailOf } from '../../shared-types/index.ts';
import { workerKind } from './estimate/worker-kind.ts';
import type { Logger, WorkerStore } from './ports.ts';
import { checkWorkerAddress, type AddressPolicy } from './worker-address.ts';

export interface RegisterDependencies {
  readonly workers: WorkerStore;
  readonly addressPolicy: AddressPolicy;
  readonly logger: Logger;
}

/**
 * Registers the worker unless its address is one that the control plane must not call. Registering twice, or by
 * an older report, changes nothing.
 */
export const registerWorker = async (
  detail: DetailOf<'Monitor Initialized'>,
  { workers, addressPolicy, logger }: RegisterDependencies,
): Promise<'applied' | 'refused'> => {
  const { workerId, clientId, bootId, sequence, timestamp, comfyuiVersion } = detail;
  const address = checkWorkerAddress(detail.comfyuiUrl, addressPolicy);
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
