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

/** Submits the failed job's workflow once more, at half the size. */
const SmallerButton = ({
  jobId,
  onStarted,
}: { readonly jobId: string } & Pick<AdviceProps, 'onStarted'>): ReactElement => {
  const { api, jobs } = useServices();
  const { say } = useActions();
  const [busy, setBusy] = useState(false);
  const start = async (): Promise<void> => {
    setBusy(true);
    try {
      const task = await api.getTask(jobId);
      const smaller = withSmallerSize({ workflow_id: task.workflowId, payload: await api.getPayload(task) });
      if (smaller?.payload === undefined) return say('Nothing in this workflow can be made smaller');
      const id = await api.submit(
        { workflowId: task.workflowId, payload: smaller.payload },
        crypto.randomUUID(),
      );
      say(`Started at ${smaller.change}`);
      jobs.add(id, task.workflowId);
      onStarted(id);
    } catch (error) {
      say(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <button type="button" className="button" disabled={busy} onClick={() => void start()}>
      Generate at half the size
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
