/** Whether requests without credentials are let in. */
import { PipelineError } from '../core/errors.ts';

/**
 * True on the stage `local` when its template says so.
 * @throws PipelineError `environment.invalid` on any other stage: the function then serves nobody at all
 */
export const openAccessOf = (env: { readonly STAGE: string; readonly OPEN_ACCESS: string }): boolean => {
  if (env.OPEN_ACCESS !== 'true') return false;
  if (env.STAGE === 'local') return true;
  throw new PipelineError('environment.invalid', 'OPEN_ACCESS is for the stage local alone', {
    retryable: false,
  });
};
