import type { ReactElement } from 'react';
import type { GenerationView } from '../../react/generation-store.ts';
import { useServices } from '../page-services.ts';
import { adviceFor } from './advice.ts';

type Shown = Pick<GenerationView, 'status' | 'error' | 'jobId'>;

/** What to do about a failed generation; nothing while there is none. */
export const Advice = ({ generation }: { readonly generation: Shown }): ReactElement | null => {
  const { client } = useServices();
  const { status, error, jobId } = generation;
  if (status !== 'failed' || error === null) return null;
  const reason = jobId === null ? undefined : client.getState(jobId)?.failure?.reason;
  return (
    <p className="notice" data-testid="advice">
      <strong>What to do:</strong> {adviceFor(error.message, reason ?? null)}
    </p>
  );
};
