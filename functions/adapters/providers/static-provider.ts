/** Workers that nobody launches: someone starts a pod with a monitor, and it announces itself. */
import type { WorkerProvider } from '../../core/providers/worker-provider.ts';

/** Knows no instance, and starts none: the workers of its pool are those in the table. Never fails. */
export const createStaticProvider = (): WorkerProvider => ({
  name: 'static',
  launch: async () => ({
    kind: 'noCapacity',
    message: 'nothing is launched here: start a pod with a monitor, it announces itself',
  }),
  get: async () => ({ kind: 'absent' }),
  list: async () => ({ kind: 'listed', instances: [] }),
  listStage: async () => ({ kind: 'listed', instances: [] }),
  terminate: async () => ({ kind: 'absent' }),
  logs: async () => ({ kind: 'unsupported' }),
  products: async () => ({ kind: 'products', products: [] }),
});
