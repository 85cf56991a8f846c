import { useState, type ReactElement } from 'react';
import type { GenerationView } from '../../react/generation-view.ts';
import { withSmallerSize } from '../../react/smaller-size.ts';
import { messageOf } from '../api/pipeline-error.ts';
import { useActions, useServices } from '../page-services.ts';
import { adviceFor } from './advice.ts';

type Shown = Pick<GenerationView, 'status' | 'error' | 'jobId'>;

interface AdviceProps {
  readonly generation: Shown;
  /** Follows the job that was started instead. */
  readonly onStarted: (jobId: string) => void;
}

/** Submits the failed job's workflow once more, smaller. */
const SmallerButton = ({
  jobId,
  onStarted,
}: { readonly jobId: string } & Pick<AdviceProps, 'onStarted'>): ReactElement => {
  const { api, submissionOf, onFollowUp } = useServices();
  const { say } = useActions();
  const [busy, setBusy] = useState(false);
  const start = async (): Promise<void> => {
    setBusy(true);
    try {
      const smaller = withSmallerSize(await submissionOf(jobId));
      if (smaller === undefined) return say('Nothing in this workflow can be made smaller');
      const { workflow_id: workflowId, payload = '' } = smaller.submission;
      const id = await api.submit({ workflowId, payload }, crypto.randomUUID());
      say(`Started at ${smaller.after}`);
      onFollowUp(jobId, id);
      onStarted(id);
    } catch (error) {
      say(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <button type="button" className="button" disabled={busy} onClick={() => void start()}>
      Generate it smaller
    </button>
  );
};

/** What to do about a failed generation, where the panel above does not say it already; nothing while there is none. */
export const Advice = ({ generation, onStarted }: AdviceProps): ReactElement | null => {
  const { status, error, jobId } = generation;
  if (status !== 'failed' || error === null) return null;
  if (error.reason === 'outOfMemory' && jobId !== null)
    return <SmallerButton jobId={jobId} onStarted={onStarted} />;
  if (error.reason !== null) return null;
  return (
    <p className="notice" data-testid="advice">
      <strong>What to do:</strong> {adviceFor(error.message, null)}
    </p>
  );
};
