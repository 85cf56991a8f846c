/** The first view: the form, what it started last, and all jobs. */
import { useState, type ReactElement } from 'react';
import { GenerateClient } from '../../react/generate-client.tsx';
import type { Generation } from '../../react/use-generation.ts';
import type { Submission } from '../api/pipeline-api.ts';
import { ApiError, messageOf } from '../api/pipeline-error.ts';
import { JobsPanel } from '../jobs/jobs-panel.tsx';
import { useServices } from '../page-services.ts';
import { hrefOf } from '../routing.ts';
import { Advice } from '../ui/advice-line.tsx';
import { OutputsInLightbox } from '../ui/outputs-in-lightbox.tsx';
import type { Draft } from './draft.ts';
import { WorkflowFormView } from './workflow-form.tsx';
import './create.css';

export interface CreateViewProps {
  readonly draft: Draft;
  readonly onDraft: (draft: Draft) => void;
  readonly onFile: (file: File) => void;
  readonly generation: Generation;
}

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError('refused', messageOf(error), { status: 0, cause: error });

const Live = ({ generation }: { readonly generation: Generation }): ReactElement => {
  const { status, jobId } = generation;
  if (status === 'idle') {
    return (
      <div className="empty live-empty">
        <p>
          Press <strong>Generate</strong>. The nodes, the progress and your pictures appear here.
        </p>
      </div>
    );
  }
  return (
    <div className="live">
      <OutputsInLightbox outputs={generation.images} jobId={jobId}>
        <GenerateClient generation={generation} />
      </OutputsInLightbox>
      <Advice generation={generation} />
      {jobId !== null && (
        <a className="live-more" href={hrefOf({ view: 'job', jobId })}>
          Timeline and details of this job
        </a>
      )}
    </div>
  );
};

export const CreateView = ({ draft, onDraft, onFile, generation }: CreateViewProps): ReactElement => {
  const { api, jobs } = useServices();
  const [submitting, setSubmitting] = useState(false);
  const [refusal, setRefusal] = useState<ApiError>();

  const submit = async (submission: Submission): Promise<void> => {
    setSubmitting(true);
    try {
      const id = await api.submit(submission, crypto.randomUUID());
      setRefusal(undefined);
      jobs.add(id, submission.workflowId);
      generation.resume(id);
    } catch (error) {
      setRefusal(asApiError(error));
    } finally {
      setSubmitting(false);
    }
  };

  return (
    <>
      <h1 className="visually-hidden">Create</h1>
      <div className="work">
        <WorkflowFormView
          draft={draft}
          onDraft={(next) => {
            if (next.text !== draft.text) setRefusal(undefined);
            onDraft(next);
          }}
          onFile={onFile}
          submitting={submitting}
          refusal={refusal}
          onSubmit={(submission) => void submit(submission)}
        />
        <div className="work-right">
          <Live generation={generation} />
          <JobsPanel />
        </div>
      </div>
    </>
  );
};
