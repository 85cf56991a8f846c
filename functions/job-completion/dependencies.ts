import type {
  Clock,
  ComfyUi,
  EventPublisher,
  JobStore,
  Logger,
  MediaStore,
  OutputStore,
  Pusher,
  QueueStore,
  SubscriptionStore,
  TimelineStore,
  WorkerStore,
} from '../core/ports.ts';

import type { ProfileStore } from '../core/estimate/ports.ts';

export interface CompletionDependencies {
  readonly jobs: JobStore;
  readonly outputs: OutputStore;
  readonly workers: WorkerStore;
  readonly queue: QueueStore;
  readonly subscriptions: SubscriptionStore;
  readonly comfyUi: ComfyUi;
  readonly media: MediaStore;
  readonly publisher: EventPublisher;
  readonly pusher: Pusher;
  readonly timeline: Pick<TimelineStore, 'list'>;
  /** What workflows take is learnt from each job that completes. */
  readonly profiles: ProfileStore;
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Store outputs of `type: temp` too. */
  readonly storeTempOutputs: boolean;
}
