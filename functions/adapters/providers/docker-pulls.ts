/**
 * Launches that wait for their image. A pull of many gigabytes takes longer than a launch may, and ends when the
 * request for it does: so it goes on here, in this process, and until its container is there it is told of from here.
 */
import type { ProviderInstance } from '../../core/providers/worker-provider.ts';
import type { DockerDone } from './docker-api.ts';

interface Waiting {
  readonly instance: ProviderInstance;
  readonly place: string;
  readonly stop: AbortController;
  /** Why it failed. */
  failure?: string;
}

export type PendingLaunches = ReturnType<typeof createPendingLaunches>;

/** @param signal ends all of them */
export const createPendingLaunches = (signal?: AbortSignal) => {
  const waiting = new Map<string, Waiting>();
  signal?.addEventListener('abort', () => {
    for (const { stop } of waiting.values()) stop.abort();
    waiting.clear();
  });
  const instanceOf = ({ instance, failure }: Waiting): ProviderInstance =>
    failure === undefined ? instance : { ...instance, state: 'failed' };
  return {
    /** `work` pulls, creates and starts; what is not `done` is the end of it, and stays until it is dropped. */
    begin: (
      instance: ProviderInstance,
      place: string,
      work: (signal: AbortSignal) => Promise<DockerDone>,
    ): void => {
      const entry: Waiting = { instance, place, stop: new AbortController() };
      waiting.set(instance.instanceId, entry);
      const settle = (failure: string | undefined): void => {
        if (waiting.get(instance.instanceId) !== entry) return;
        if (failure === undefined) waiting.delete(instance.instanceId);
        else entry.failure = failure;
      };
      work(entry.stop.signal).then(
        (done) => {
          if (done.kind === 'done') return settle(undefined);
          return settle('message' in done ? done.message : `Docker: ${done.kind}`);
        },
        () => settle('the launch failed'),
      );
    },
    get: (instanceId: string): ProviderInstance | undefined => {
      const entry = waiting.get(instanceId);
      return entry === undefined ? undefined : instanceOf(entry);
    },
    failureOf: (instanceId: string): string | undefined => waiting.get(instanceId)?.failure,
    inPools: (isAsked: (pool: string) => boolean): ProviderInstance[] =>
      [...waiting.values()].map(instanceOf).filter(({ pool }) => isAsked(pool)),
    /** The places that are taken by what still may run. */
    places: (): ReadonlyMap<string, string> =>
      new Map(
        [...waiting]
          .filter(([, { failure }]) => failure === undefined)
          .map(([name, { place }]) => [name, place]),
      ),
    /** Gives it up; whether there was one. */
    drop: (instanceId: string): boolean => {
      waiting.get(instanceId)?.stop.abort();
      return waiting.delete(instanceId);
    },
  };
};
