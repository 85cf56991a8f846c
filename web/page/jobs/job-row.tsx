/** One job in the list: what it is, how far it is, and what can be done with it. */
import { useCallback, type ReactElement } from 'react';
import type { StoredOutput } from '../../../shared-types/index.ts';
import { useActions, useServices } from '../page-services.ts';
import { hrefOf } from '../routing.ts';
import { adviceFor } from '../ui/advice.ts';
import { etaText } from '../../react/progress-text.ts';
import { agoText, queueText } from '../ui/format.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { Thumbnail } from '../ui/tile.tsx';
import { useLoaded } from '../ui/use-loaded.ts';
import type { JobEntry } from './jobs-store.ts';

const NAMES: Readonly<Record<JobEntry['status'], string>> = {
  pending: 'Queued',
  assigned: 'Starting',
  running: 'Running',
  completed: 'Finished',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

const isOver = ({ status }: JobEntry): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

export const StatusBadge = ({
  status,
  retrying = false,
}: {
  readonly status: JobEntry['status'];
  /** It waits for its next attempt. */
  readonly retrying?: boolean;
}): ReactElement => (
  <span className="badge" data-status={retrying ? 'retrying' : status}>
    {retrying ? 'Trying again' : NAMES[status]}
  </span>
);

const isRetrying = ({ status, live }: JobEntry): boolean => status === 'pending' && Boolean(live?.retry);

const leftText = (live: JobEntry['live']): string => (live?.eta ? etaText(live.eta) : '');

/** What happens now, in one line. */
const lineOf = ({ status, live, error, cancelling }: JobEntry): string => {
  if (cancelling) return 'Cancelling…';
  if (status === 'failed') {
    const node = live?.failure?.nodeName ?? live?.failure?.nodeType ?? '';
    const place = node === '' || error.includes(node) ? '' : `${node}: `;
    return `${place}${error.replace(/\.$/, '')}. ${adviceFor(error, live?.failure?.reason ?? null)}`;
  }
  if (status === 'completed' || status === 'cancelled') return '';
  if (live?.retry) return `${live.message} Trying again.`;
  if (status === 'assigned') return 'On a worker, behind the job that it runs';
  if (status === 'pending')
    return [queueText(live?.queuePosition ?? null), leftText(live)].filter(Boolean).join(' · ');
  return [live?.message ?? '', leftText(live)].filter(Boolean).join(' · ');
};

const STATUS_ICONS: Readonly<Record<JobEntry['status'], IconName>> = {
  pending: 'clock',
  assigned: 'clock',
  running: 'play',
  completed: 'check',
  failed: 'alert',
  cancelled: 'stop',
};

const FirstOutput = ({ id }: { readonly id: string }): ReactElement => {
  const { details } = useServices();
  const { value } = useLoaded(useCallback(() => details.get(id), [details, id]));
  const first = value?.view.outputs[0];
  return first === undefined ? <Icon name="check" /> : <Thumbnail output={first} testId="job-picture" />;
};

const Picture = ({ entry }: { readonly entry: JobEntry }): ReactElement => {
  const { live, status, id } = entry;
  const output: StoredOutput | undefined = live?.outputs[0];
  if (output !== undefined) return <Thumbnail output={output} testId="job-picture" />;
  if (status === 'completed') return <FirstOutput id={id} />;
  if (live?.preview) return <img src={`data:${live.preview.mimeType};base64,${live.preview.image}`} alt="" />;
  return <Icon name={STATUS_ICONS[status]} />;
};

const Actions = ({ entry }: { readonly entry: JobEntry }): ReactElement => {
  const { cancel, retry, reuse } = useActions();
  const name = `${entry.workflowId} ${entry.id.slice(0, 8)}`;
  return (
    <div className="job-actions">
      {!isOver(entry) && (
        <button
          type="button"
          className="button"
          disabled={entry.cancelling}
          aria-label={`Cancel ${name}`}
          onClick={() => void cancel(entry.id)}
        >
          Cancel
        </button>
      )}
      {(entry.status === 'failed' || entry.status === 'cancelled') && (
        <button
          type="button"
          className="button"
          aria-label={`Retry ${name}`}
          onClick={() => void retry(entry.id)}
        >
          Retry
        </button>
      )}
      <button
        type="button"
        className="button"
        aria-label={`Reuse the settings of ${name}`}
        title="Fill the form with its settings"
        onClick={() => void reuse(entry)}
      >
        Reuse
      </button>
    </div>
  );
};

const Bar = ({ entry }: { readonly entry: JobEntry }): ReactElement => {
  const whole = Math.floor(entry.percentage);
  return (
    <div className="job-bar">
      <div
        className="bar"
        role="progressbar"
        aria-label={`Progress of ${entry.workflowId}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={whole}
      >
        <div className="bar-fill" style={{ width: `${entry.percentage}%` }} />
      </div>
      <span className="job-percent">{whole}%</span>
    </div>
  );
};

export const JobRow = ({ entry, now }: { readonly entry: JobEntry; readonly now: number }): ReactElement => {
  const line = lineOf(entry);
  const { titles } = useServices();
  const title = titles.titleOf(entry.id);
  const workflow = entry.workflowId === '' ? 'Job' : entry.workflowId;
  const href = hrefOf({ view: 'job', jobId: entry.id });
  return (
    <li className="job-row" data-testid="job-row" data-status={entry.status} data-job={entry.id}>
      <a className="job-picture" href={href} tabIndex={-1} aria-hidden="true">
        <Picture entry={entry} />
      </a>
      <div className="job-text">
        <div className="job-title">
          <a href={href}>{title ?? workflow}</a>
          <StatusBadge status={entry.status} retrying={isRetrying(entry)} />
          <span className="note">
            {title === undefined ? '' : `${workflow} · `}
            {agoText(entry.createdAt, now)}
          </span>
        </div>
        {line !== '' && (
          <p className={entry.status === 'failed' ? 'job-line job-line-failed' : 'job-line'}>{line}</p>
        )}
        {(entry.status === 'running' || entry.status === 'assigned') && <Bar entry={entry} />}
      </div>
      <Actions entry={entry} />
    </li>
  );
};
