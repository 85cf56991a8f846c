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
  WorkerStore,
} from '../core/ports.ts';

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
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Store outputs of `type: temp` too. */
  readonly storeTempOutputs: boolean;
}
