/** One job: live while it runs, and everything about it afterwards. */
import { useCallback, useEffect, useRef, type ReactElement } from 'react';
import { GenerateClient } from '../../react/generate-client.tsx';
import { useGeneration, type Generation } from '../../react/use-generation.ts';
import { readApiKey } from '../api-key.ts';
import { messageOf } from '../api/pipeline-error.ts';
import type { Attempt, TaskDetails } from '../api/read-answers.ts';
import { StatusBadge } from '../jobs/job-row.tsx';
import { useActions, useServices } from '../page-services.ts';
import { goTo } from '../routing.ts';
import { Advice } from '../ui/advice-line.tsx';
import { adviceFor } from '../ui/advice.ts';
import { agoText, clockText, durationText } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { OutputsInLightbox } from '../ui/outputs-in-lightbox.tsx';
import { copyText } from '../ui/take-away.ts';
import { useLoaded } from '../ui/use-loaded.ts';
import { useNow } from '../ui/use-now.ts';
import { curlOf } from './curl.ts';
import { NodeTimeline } from './node-timeline.tsx';
import '../jobs/jobs.css';
import './job.css';

const REFRESH_MS = 3000;

const isOver = (status: string | undefined): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

const useCopy = (): ((what: string, text: string) => Promise<void>) => {
  const { say } = useActions();
  return async (what, text) => say((await copyText(text)) ? `${what} copied` : 'Copying is not allowed here');
};

const Actions = ({ task }: { readonly task: TaskDetails }): ReactElement => {
  const { retry, reuse, say } = useActions();
  const { api, config } = useServices();
  const copy = useCopy();
  const copyCurl = async (): Promise<void> => {
    try {
      const payload = await api.getPayload(task);
      const { workflowId } = task;
      await copy(
        'Command',
        curlOf({ apiUrl: config.apiUrl, workflowId, payload, withKey: readApiKey() !== undefined }),
      );
    } catch (error) {
      say(messageOf(error));
    }
  };
  return (
    <div className="job-tools">
      {task.status === 'completed' && (
        <button type="button" className="button" onClick={() => void retry(task.id)}>
          <Icon name="retry" /> Run again
        </button>
      )}
      <button type="button" className="button" onClick={() => void reuse(task)}>
        <Icon name="reuse" /> Reuse settings
      </button>
      <button type="button" className="button" onClick={() => void copy('Link', window.location.href)}>
        <Icon name="link" /> Copy link
      </button>
      <button type="button" className="button" onClick={() => void copy('Id', task.id)}>
        <Icon name="copy" /> Copy id
      </button>
      <button type="button" className="button" onClick={() => void copyCurl()}>
        <Icon name="text" /> Copy as cURL
      </button>
    </div>
  );
};

const attemptTime = ({ startedAt, endedAt }: Attempt): string =>
  startedAt === null || endedAt === null ? '' : durationText(Date.parse(endedAt) - Date.parse(startedAt));

const AttemptRow = ({ attempt }: { readonly attempt: Attempt }): ReactElement => (
  <li>
    <strong>Attempt {attempt.attempt}</strong>{' '}
    <span className="note">
      {[attempt.status, attempt.workerId, clockText(attempt.startedAt), attemptTime(attempt)]
        .filter(Boolean)
        .join(' · ')}
    </span>
    {attempt.error !== '' && (
      <p className="job-line-failed">
        {attempt.nodeId !== null && `Node ${attempt.nodeId}: `}
        {attempt.error} <span className="note">{adviceFor(attempt.error, attempt.reason)}</span>
      </p>
    )}
  </li>
);

const Details = ({ task }: { readonly task: TaskDetails }): ReactElement => (
  <section className="card" aria-labelledby="details-title">
    <h2 id="details-title">Details</h2>
    {task.attempts.length > 0 && (
      <ul className="attempt-list">
        {task.attempts.map((attempt) => (
          <AttemptRow key={attempt.attempt} attempt={attempt} />
        ))}
      </ul>
    )}
    <details>
      <summary>Raw answer of the task API</summary>
      <pre className="raw" tabIndex={0}>
        {task.text}
      </pre>
    </details>
  </section>
);

const useJobGeneration = (jobId: string): Generation => {
  const { client } = useServices();
  const generation = useGeneration({ client, storageKey: 'generation.jobPage' });
  const { resume } = generation;
  useEffect(() => resume(jobId), [resume, jobId]);
  const followed = useRef(false);
  const { jobId: current } = generation;
  // "Try again" of the panel starts another job: that one has a page of its own.
  useEffect(() => {
    if (current === jobId) followed.current = true;
    else if (followed.current && current !== null) goTo({ view: 'job', jobId: current });
  }, [current, jobId]);
  return generation;
};

/** Asked for once more when it ends: the last nodes and the attempt's end come with it. */
const useJobFacts = (jobId: string, over: boolean) => {
  const { api } = useServices();
  const everyMs = over ? undefined : REFRESH_MS;
  const task = useLoaded(
    useCallback(() => api.getTask(jobId), [api, jobId]),
    everyMs,
  );
  const timeline = useLoaded(
    useCallback(() => api.timeline(jobId), [api, jobId]),
    everyMs,
  );
  const [reloadTask, reloadTimeline] = [task.reload, timeline.reload];
  useEffect(() => {
    if (!over) return;
    reloadTask();
    reloadTimeline();
  }, [over, reloadTask, reloadTimeline]);
  return { task, timeline };
};

export const JobView = ({ jobId }: { readonly jobId: string }): ReactElement => {
  const generation = useJobGeneration(jobId);
  const over = isOver(generation.status);
  const { task, timeline } = useJobFacts(jobId, over);
  const now = useNow(over ? 60_000 : 500);
  const { value } = task;
  const { titles } = useServices();
  const workflow = value === undefined || value.workflowId === '' ? 'Job' : value.workflowId;
  const title = titles.titleOf(jobId);
  return (
    <>
      <div className="section-head job-head">
        <h1>{title ?? workflow}</h1>
        {value !== undefined && <StatusBadge status={value.status} />}
        <span className="note">
          {title !== undefined && `${workflow} · `}
          {value !== undefined && `submitted ${agoText(value.createdAt, now)}`}
        </span>
        <code className="job-id">{jobId}</code>
      </div>
      {task.error !== '' && (
        <p className="alert" role="alert">
          {task.error}
        </p>
      )}
      {value !== undefined && <Actions task={value} />}
      <div className="job-grid">
        <div className="job-live">
          <OutputsInLightbox outputs={generation.images} jobId={jobId}>
            <GenerateClient generation={generation} />
          </OutputsInLightbox>
          <Advice generation={generation} onStarted={(next) => goTo({ view: 'job', jobId: next })} />
        </div>
        <div className="job-side">
          <NodeTimeline entries={timeline.value ?? []} now={now} />
          {value !== undefined && <Details task={value} />}
        </div>
      </div>
    </>
  );
};
