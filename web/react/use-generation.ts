import { useLayoutEffect, useMemo, useSyncExternalStore } from 'react';
import type { PipelineClient } from '../client/client-contract.ts';
import {
  createGenerationStore,
  type GenerationStore,
  type GenerationStoreOptions,
} from './generation-store.ts';
import type { FailurePolicy, GenerationView } from './generation-view.ts';

export type Generation = GenerationView & Pick<GenerationStore, 'generate' | 'cancel' | 'retry' | 'resume'>;

export interface UseGenerationOptions {
  readonly client: PipelineClient;
  /** Key in sessionStorage under which the running job is remembered; one per generation on a page. */
  readonly storageKey?: string;
  /** What to submit instead when a job fails, for example `retryWithSmallerSize`. May change with each render. */
  readonly onFailure?: FailurePolicy | undefined;
  /** What was submitted, of a job that is taken up after a refresh. Another function is another generation. */
  readonly submissionOf?: GenerationStoreOptions['submissionOf'];
}

const sessionStorageOf = (): Storage | undefined => globalThis.sessionStorage;

/**
 * Submits a workflow and follows it live. A refresh of the page resumes the job that was running; leaving the
 * page does not stop it.
 */
export const useGeneration = ({
  client,
  storageKey,
  onFailure,
  submissionOf,
}: UseGenerationOptions): Generation => {
  const store = useMemo(
    () => createGenerationStore({ client, storageKey, storage: sessionStorageOf, submissionOf }),
    [client, storageKey, submissionOf],
  );
  // Before the store is subscribed to, which may take up a job: what is to be done about its failure is known by then.
  useLayoutEffect(() => store.setOnFailure(onFailure), [store, onFailure]);
  const view = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  return useMemo(() => {
    const { generate, cancel, retry, resume } = store;
    return { ...view, generate, cancel, retry, resume };
  }, [view, store]);
};
