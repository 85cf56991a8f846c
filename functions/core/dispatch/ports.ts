/** What dispatching needs from outside. */
import type {
  Clock,
  ComfyUi,
  EventPublisher,
  Ids,
  JobStore,
  Logger,
  Pusher,
  QueueStore,
  SubscriptionStore,
  WorkerStore,
  WorkflowStore,
} from '../ports.ts';

export interface DispatchDependencies {
  readonly jobs: JobStore;
  readonly queue: QueueStore;
  readonly workers: WorkerStore;
  readonly workflows: WorkflowStore;
  readonly comfyUi: ComfyUi;
  readonly publisher: EventPublisher;
  readonly pusher: Pusher;
  readonly subscriptions: SubscriptionStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
  readonly logger: Logger;
}
