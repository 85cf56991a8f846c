/** The machines that run the jobs. */
import { useCallback, useState, type ReactElement } from 'react';
import { messageOf } from '../api/pipeline-error.ts';
import type { WorkerCard } from '../api/read-answers.ts';
import { useActions, useServices } from '../page-services.ts';
import { hrefOf } from '../routing.ts';
import { agoText } from '../ui/format.ts';
import { useLoaded } from '../ui/use-loaded.ts';
import { useNow } from '../ui/use-now.ts';
import './workers.css';

const REFRESH_MS = 3000;

const EXPLAINED: Readonly<Record<string, string>> = {
  starting: 'Its monitor is up; ComfyUI does not answer yet.',
  idle: 'Ready for the next job.',
  busy: 'Runs a job.',
  draining: 'Finishes what it has and is given nothing more.',
  failed: 'ComfyUI does not answer. Look at its log.',
  lost: 'Nothing was heard of it for a while. Its jobs went to others.',
  stopped: 'Stopped in order.',
};

const DrainSwitch = ({
  worker,
  onDone,
}: {
  readonly worker: WorkerCard;
  readonly onDone: () => void;
}): ReactElement | null => {
  const { api } = useServices();
  const { say } = useActions();
  const [busy, setBusy] = useState(false);
  const draining = worker.status === 'draining';
  if (worker.status === 'stopped' || worker.status === 'lost') return null;
  const change = async (): Promise<void> => {
    setBusy(true);
    try {
      await api.changeWorker(worker.id, draining ? 'resume' : 'drain');
      say(draining ? `${worker.id} takes jobs again` : `${worker.id} finishes what it has`);
    } catch (error) {
      say(messageOf(error));
    } finally {
      setBusy(false);
      onDone();
    }
  };
  return (
    <button
      type="button"
      className="button"
      disabled={busy}
      aria-label={`${draining ? 'Resume' : 'Drain'} ${worker.id}`}
      onClick={() => void change()}
    >
      {draining ? 'Resume' : 'Drain'}
    </button>
  );
};

const Card = ({
  worker,
  now,
  onDone,
}: {
  readonly worker: WorkerCard;
  readonly now: number;
  readonly onDone: () => void;
}): ReactElement => (
  <li className="card worker" data-testid="worker" data-status={worker.status}>
    <div className="worker-head">
      <h2>{worker.id}</h2>
      <span className="badge" data-status={worker.status}>
        {worker.status}
      </span>
    </div>
    <p className="note">{EXPLAINED[worker.status] ?? ''}</p>
    <dl>
      <dt>Runs now</dt>
      <dd>
        {worker.currentTaskId === '' ? (
          '—'
        ) : (
          <a href={hrefOf({ view: 'job', jobId: worker.currentTaskId })}>
            job {worker.currentTaskId.slice(0, 8)}
          </a>
        )}
      </dd>
      <dt>Waiting there</dt>
      <dd>{worker.queuedTasks}</dd>
      <dt>Last seen</dt>
      <dd>{agoText(worker.lastActiveAt, now)}</dd>
      <dt>ComfyUI</dt>
      <dd>{worker.comfyUiVersion ?? 'unknown'}</dd>
      <dt>Provider</dt>
      <dd>{worker.provider}</dd>
      <dt>Address</dt>
      <dd className="worker-address">{worker.endpoint}</dd>
    </dl>
    {worker.tags.length > 0 && (
      <ul className="tags" aria-label="Tags">
        {worker.tags.map((tag) => (
          <li key={tag}>{tag}</li>
        ))}
      </ul>
    )}
    <DrainSwitch worker={worker} onDone={onDone} />
  </li>
);

/** `1 busy · 2 idle`. */
const countsText = (workers: readonly WorkerCard[]): string =>
  Object.keys(EXPLAINED)
    .map((name) => [workers.filter(({ status }) => status === name).length, name] as const)
    .filter(([many]) => many > 0)
    .map(([many, name]) => `${many} ${name}`)
    .join(' · ');

export const WorkersView = (): ReactElement => {
  const { api } = useServices();
  const { value, error, reload } = useLoaded(
    useCallback(() => api.workers(), [api]),
    REFRESH_MS,
  );
  const now = useNow(1000);
  return (
    <section aria-labelledby="workers-title">
      <div className="section-head">
        <h1 id="workers-title">Workers</h1>
        {value !== undefined && <span className="note">{countsText(value)}</span>}
      </div>
      {error !== '' && (
        <p className="alert" role="alert">
          {error}
        </p>
      )}
      {value?.length === 0 && (
        <p className="empty">
          No worker has announced itself. Jobs wait until a monitor beside a ComfyUI starts.
        </p>
      )}
      {value === undefined && error === '' && <p className="empty">Loading…</p>}
      <ul className="worker-grid">
        {(value ?? []).map((worker) => (
          <Card key={worker.id} worker={worker} now={now} onDone={reload} />
        ))}
      </ul>
    </section>
  );
};
