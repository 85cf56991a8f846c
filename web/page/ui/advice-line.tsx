import type { ReactElement } from 'react';
import type { GenerationView } from '../../react/generation-store.ts';
import { adviceFor } from './advice.ts';

/** What to do about a failed generation; nothing while there is none. */
export const Advice = ({
  generation,
}: {
  readonly generation: Pick<GenerationView, 'status' | 'error'>;
}): ReactElement | null =>
  generation.status === 'failed' && generation.error !== null ? (
    <p className="notice" data-testid="advice">
      <strong>What to do:</strong> {adviceFor(generation.error.message, null)}
    </p>
  ) : null;
