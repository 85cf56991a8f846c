/** The first view: the form, what it started last, and all jobs. */
import { useEffect, useRef, useState, type ReactElement } from 'react';
import { GenerateClient } from '../../react/generate-client.tsx';
import { isBusy } from '../../react/generation-view.ts';
import type { Generation } from '../../react/use-generation.ts';
import { ApiError, messageOf } from '../api/pipeline-error.ts';
import { JobsPanel } from '../jobs/jobs-panel.tsx';
import { useActions, useServices } from '../page-services.ts';
import { hrefOf } from '../routing.ts';
import { Icon } from '../ui/icon.tsx';
import { Advice } from '../ui/advice-line.tsx';
import { OutputsInLightbox } from '../ui/outputs-in-lightbox.tsx';
import { storedIdOf, type Draft } from './draft.ts';
import { WorkflowFormView, type TitledSubmission } from './workflow-form.tsx';
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
        <Icon name="image" />
        <strong>Your picture appears here</strong>
        <p>
          Press Generate: you see which node is at work, how far it is and how long it still takes. Leave the
          page if you like; the job goes on, and you find it in the list.
        </p>
      </div>
    );
  }
  return (
    <div className="live">
      <OutputsInLightbox outputs={generation.images} jobId={jobId}>
        <GenerateClient generation={generation} />
      </OutputsInLightbox>
      <Advice generation={generation} onStarted={generation.resume} />
      {jobId !== null && (
        <a className="live-more" href={hrefOf({ view: 'job', jobId })}>
          Timeline and details of this job <Icon name="right" />
        </a>
      )}
    </div>
  );
};

export const CreateView = ({ draft, onDraft, onFile, generation }: CreateViewProps): ReactElement => {
  const { api, jobs, titles, earlier } = useServices();
  const { say } = useActions();
  const [submitting, setSubmitting] = useState(false);
  const [refusal, setRefusal] = useState<ApiError>();
  const right = useRef<HTMLDivElement>(null);
  const { jobId } = generation;
  // The panel has buttons of its own that start jobs.
  useEffect(() => {
    if (jobId !== null) void jobs.refresh();
  }, [jobs, jobId]);

  const submit = async (submission: TitledSubmission): Promise<void> => {
    setSubmitting(true);
    try {
      const id = await api.submit(submission, crypto.randomUUID());
      setRefusal(undefined);
      titles.keep(id, submission.title);
      jobs.add(id, submission.workflowId);
      if (generation.jobId !== null && isBusy(generation.status)) earlier.lookAfter(generation.jobId);
      const { workflowId, payload, inputs } = submission;
      generation.resume(id, { workflow_id: workflowId, payload, ...(inputs && { inputs }) });
      if (window.matchMedia('(max-width: 56rem)').matches) right.current?.scrollIntoView({ block: 'start' });
    } catch (error) {
      setRefusal(asApiError(error));
    } finally {
      setSubmitting(false);
    }
  };

  const store = async (workflowId: string, payload: string): Promise<void> => {
    const id = storedIdOf(workflowId);
    try {
      await api.saveWorkflow(id, payload);
      say(`Stored as ${id}: it is in the list of workflows`);
    } catch (error) {
      say(messageOf(error));
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
          onStore={store}
        />
        <div className="work-right" ref={right}>
          <Live generation={generation} />
          <JobsPanel />
        </div>
      </div>
    </>
  );
};
