/** All jobs, newest first, the unfinished ones live. */
import { useSyncExternalStore, type ReactElement } from 'react';
import { messageOf } from '../api/pipeline-error.ts';
import { useActions, useServices } from '../page-services.ts';
import { Icon } from '../ui/icon.tsx';
import { useNow } from '../ui/use-now.ts';
import { JobRow } from './job-row.tsx';
import type { JobEntry, JobsStore, JobsView } from './jobs-store.ts';
import './jobs.css';

const count = (entries: readonly JobEntry[], ...statuses: readonly JobEntry['status'][]): number =>
  entries.filter(({ status }) => statuses.includes(status)).length;

const Summary = ({ entries }: { readonly entries: readonly JobEntry[] }): ReactElement => {
  const parts = [
    [count(entries, 'running', 'assigned'), 'running'],
    [count(entries, 'pending'), 'waiting'],
  ] as const;
  const text = parts.filter(([many]) => many > 0).map(([many, what]) => `${many} ${what}`);
  return <span className="note">{text.join(' · ')}</span>;
};

const QueueSwitch = ({
  view,
  jobs,
}: {
  readonly view: JobsView;
  readonly jobs: JobsStore;
}): ReactElement | null => {
  const { say } = useActions();
  if (view.queue === undefined) return null;
  const { paused } = view.queue;
  // Of a queue that was never used there is nothing to hold back.
  if (!paused && view.entries.length === 0) return null;
  const change = (): void => {
    jobs.changeQueue(paused ? 'resume' : 'pause').then(
      () => say(paused ? 'Your queue goes on' : 'Your queue is paused: what runs goes on'),
      (error: unknown) => say(messageOf(error)),
    );
  };
  return (
    <button type="button" className="button" onClick={change}>
      <Icon name={paused ? 'play' : 'pause'} /> {paused ? 'Resume queue' : 'Pause queue'}
    </button>
  );
};

const Notice = ({ view }: { readonly view: JobsView }): ReactElement | null => {
  if (view.error !== '') {
    return (
      <p className="alert" role="alert">
        {view.error}
      </p>
    );
  }
  if (view.queue?.allPaused === true)
    return <p className="notice">An operator paused all queues: jobs wait.</p>;
  if (view.queue?.paused === true)
    return <p className="notice">Your queue is paused: waiting jobs start once you resume it.</p>;
  return null;
};

export const JobsPanel = (): ReactElement => {
  const { jobs } = useServices();
  const view = useSyncExternalStore(jobs.subscribe, jobs.getSnapshot, jobs.getSnapshot);
  const now = useNow(5000);
  return (
    <section className="card jobs" aria-labelledby="jobs-title">
      <div className="section-head">
        <h2 id="jobs-title">Jobs</h2>
        <Summary entries={view.entries} />
        <QueueSwitch view={view} jobs={jobs} />
      </div>
      <Notice view={view} />
      {view.entries.length === 0 && view.error === '' && (
        <p className="empty">
          {view.phase === 'loading'
            ? 'Loading your jobs…'
            : 'No jobs yet. Submit as many as you like: they run one after the other, on every worker there is.'}
        </p>
      )}
      <ul className="job-list">
        {view.entries.map((entry) => (
          <JobRow key={entry.id} entry={entry} now={now} />
        ))}
      </ul>
      {view.hasMore && (
        <button type="button" className="button" onClick={() => void jobs.more()}>
          Show older jobs
        </button>
      )}
    </section>
  );
};
