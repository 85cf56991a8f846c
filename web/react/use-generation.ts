import { useMemo, useSyncExternalStore } from 'react';
import type { PipelineClient } from '../client/client-contract.ts';
import { createGenerationStore, type GenerationStore, type GenerationView } from './generation-store.ts';

export type Generation = GenerationView & Pick<GenerationStore, 'generate' | 'resume'>;

export interface UseGenerationOptions {
  readonly client: PipelineClient;
  /** Key in sessionStorage under which the running job is remembered; one per generation on a page. */
  readonly storageKey?: string;
}

const sessionStorageOf = (): Storage | undefined => globalThis.sessionStorage;

/**
 * Submits a workflow and follows it live. A refresh of the page resumes the job that was running; leaving the
 * page does not stop it.
 */
export const useGeneration = ({ client, storageKey }: UseGenerationOptions): Generation => {
  const store = useMemo(
    () => createGenerationStore({ client, storageKey, storage: sessionStorageOf }),
    [client, storageKey],
  );
  const view = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  return useMemo(() => ({ ...view, generate: store.generate, resume: store.resume }), [view, store]);
};
