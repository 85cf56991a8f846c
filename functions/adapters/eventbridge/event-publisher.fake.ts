import { eventCatalogue, type PipelineEvent } from '../../../shared-types/index.ts';
import type { EventPublisher } from '../../core/ports.ts';

export interface FakePublisher extends EventPublisher {
  readonly events: PipelineEvent[];
  /** The next `count` calls reject, having published nothing. */
  failNext(count: number): void;
}

/** Keeps what was published, each held against its schema. */
export const createFakePublisher = (): FakePublisher => {
  const events: PipelineEvent[] = [];
  let failures = 0;
  return {
    events,
    failNext: (count) => {
      failures = count;
    },
    publish: async (published) => {
      if (failures > 0) {
        failures -= 1;
        throw new Error('the bus does not answer');
      }
      for (const event of published as readonly PipelineEvent[]) {
        eventCatalogue[event.detailType].schema.parse(event.detail);
        events.push(event);
      }
    },
  };
};
