/** Shows a generation while it runs and what came of it. Styles: `generate-client.css` beside it. */
import type { ReactElement } from 'react';
import { Announcement } from './announcement.tsx';
import { isBusy, type GenerationProgress, type GenerationStatus } from './generation-view.ts';
import { FailedTries, NodeHistory } from './node-history.tsx';
import { ErrorPanel, LostLine, OtherTry, otherTryOf } from './notices.tsx';
import { OutputView } from './output-view.tsx';
import { durationText, etaText, nodesText, queueText, stepsText, wholePercent } from './progress-text.ts';
import { Preview, RunningNodes } from './running-nodes.tsx';
import type { Generation } from './use-generation.ts';

const TITLES: Readonly<Record<GenerationStatus, string>> = {
  idle: 'Ready',
  submitting: 'Submitting',
  resuming: 'Resuming',
  pending: 'Queued',
  assigned: 'Starting',
  running: 'Running',
  retrying: 'Trying again',
  completed: 'Finished',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

const Figures = ({ generation }: { readonly generation: Generation }): ReactElement => {
  const { progress, eta, status, durationMs } = generation;
  return (
    <>
      <span data-testid="percentage" className="gc-percentage">
        {wholePercent(progress.percentage)}%
      </span>
      <span data-testid="steps">{stepsText(progress)}</span>
      <span data-testid="nodes">{status === 'retrying' ? '' : nodesText(progress)}</span>
      {status === 'completed' && durationMs !== null && (
        <span className="gc-eta">took {durationText(durationMs)}</span>
      )}
      {isBusy(status) && (
        <span data-testid="eta" className="gc-eta">
          {etaText(eta)}
        </span>
      )}
    </>
  );
};

interface ProgressBarProps {
  readonly progress: GenerationProgress;
  readonly waiting: boolean;
  /** Without it the bar has no value: 0% would be a guess. */
  readonly known: boolean;
}

const ProgressBar = ({ progress, waiting, known }: ProgressBarProps): ReactElement => {
  const steps = stepsText(progress);
  const value = wholePercent(progress.percentage);
  return (
    <div
      className={waiting ? 'gc-bar gc-bar-busy' : 'gc-bar'}
      role="progressbar"
      aria-label="Progress of the generation"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? value : undefined}
      aria-valuetext={known && steps !== '' ? `${value}%, ${steps}` : undefined}
    >
      <div className="gc-fill" style={{ width: `${progress.percentage}%` }} />
    </div>
  );
};

const Outputs = ({ generation }: { readonly generation: Generation }): ReactElement | null => {
  const { images, missing } = generation;
  if (images.length === 0 && missing.length === 0) return null;
  return (
    <div className="gc-outputs-area">
      <div className={images.length === 1 ? 'gc-outputs gc-outputs-one' : 'gc-outputs'}>
        {images.map((output) => (
          <OutputView key={output.outputId} output={output} />
        ))}
      </div>
      {missing.length > 0 && <p className="gc-missing">Could not be stored: {missing.join(', ')}</p>}
    </div>
  );
};

const isWaiting = (status: GenerationStatus): boolean => isBusy(status) && status !== 'running';
const canRetry = ({ status, jobId }: Generation): boolean =>
  (status === 'failed' || status === 'cancelled') && jobId !== null;

const Head = ({ generation }: { readonly generation: Generation }): ReactElement => {
  const { status, message, error, cancelling, cancel, retry, queuePosition } = generation;
  const place = queueText(queuePosition);
  const said = message === TITLES[status] || message === error?.message || message === otherTryOf(generation);
  return (
    <div className="gc-head">
      <h2>{TITLES[status]}</h2>
      <p className="gc-message" data-testid="message">
        {said ? '' : message}
      </p>
      {place !== '' && (
        <span className="gc-chip" data-testid="queue-position">
          {place}
        </span>
      )}
      {isBusy(status) && (
        <button
          type="button"
          className="gc-button"
          data-testid="cancel"
          aria-disabled={cancelling}
          onClick={() => void cancel()}
        >
          {cancelling ? 'Cancelling…' : 'Cancel'}
        </button>
      )}
      {canRetry(generation) && (
        <button type="button" className="gc-button" data-testid="retry" onClick={() => void retry()}>
          Try again
        </button>
      )}
    </div>
  );
};

/** Said when the node or the state changes, not at each step. A failure speaks for itself, as an alert. */
const announcementOf = (generation: Generation): string => {
  const { status, message, queuePosition, images, runningNodes } = generation;
  const names = runningNodes.map(({ nodeName }) => nodeName);
  const other = otherTryOf(generation);
  if (status === 'failed') return '';
  if (status === 'running')
    return names.length === 0 ? 'Running' : `Processing ${names.slice(0, 3).join(', ')}`;
  if (status === 'retrying') return message;
  if (status === 'completed') return `Finished: ${images.length} output${images.length === 1 ? '' : 's'}`;
  if (other !== '') return other;
  const place = queueText(queuePosition);
  return place === '' ? TITLES[status] : place;
};

export interface GenerateClientProps {
  readonly generation: Generation;
}

/** Nothing at all before the first generation, so that a page may place its own words there. */
export const GenerateClient = ({ generation }: GenerateClientProps): ReactElement | null => {
  const { status, error, progress, preview, runningNodes, nodes, retries } = generation;
  if (status === 'idle') return null;
  const hasBar = status !== 'failed' && status !== 'cancelled';
  return (
    <section className="gc" data-status={status} aria-label="Generation">
      <Head generation={generation} />
      <Announcement text={announcementOf(generation)} />
      <LostLine {...generation} />
      <OtherTry text={otherTryOf(generation)} />
      <RunningNodes nodes={runningNodes} />
      {hasBar && (
        <div className="gc-progress">
          <ProgressBar progress={progress} waiting={isWaiting(status)} known={status !== 'resuming'} />
          <div className="gc-figures">{status !== 'resuming' && <Figures generation={generation} />}</div>
        </div>
      )}
      {error !== null && <ErrorPanel error={error} />}
      {preview !== null && <Preview preview={preview} />}
      <Outputs generation={generation} />
      <FailedTries tries={retries} waiting={status === 'retrying'} />
      {/* Those of the attempt that failed are none of the next one. */}
      {status !== 'retrying' && <NodeHistory nodes={nodes} open={status !== 'completed'} />}
    </section>
  );
};
