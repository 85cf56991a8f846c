/** Shows a generation while it runs and what came of it. Styles: `generate-client.css` beside it. */
import type { ReactElement } from 'react';
import type { GenerationError, GenerationProgress, GenerationStatus } from './generation-store.ts';
import { OutputView } from './output-view.tsx';
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

/** Rounded down, so that 100% is only read at the end. */
const wholePercent = (percentage: number): number => Math.floor(percentage);

const CurrentNode = ({ name, state }: { name: string; state: string }): ReactElement => (
  <div className="gc-node">
    <span className="gc-dot" aria-hidden="true" />
    <div className="gc-node-text">
      <span className="gc-label">Currently processing</span>
      <strong data-testid="current-node">{name}</strong>
    </div>
    {state !== '' && <span className="gc-chip">{state}</span>}
  </div>
);

const stepsText = ({ step, steps }: GenerationProgress): string =>
  steps > 0 ? `${step}/${steps} steps` : '';

const nodesText = ({ completedNodes, totalNodes, cachedNodes }: GenerationProgress): string => {
  if (totalNodes === 0) return '';
  const cached = cachedNodes > 0 ? ` (${cachedNodes} cached)` : '';
  return `${completedNodes} of ${totalNodes} nodes${cached}`;
};

const Figures = ({ progress }: { progress: GenerationProgress }): ReactElement => (
  <>
    <span data-testid="percentage" className="gc-percentage">
      {wholePercent(progress.percentage)}%
    </span>
    <span>{stepsText(progress)}</span>
    <span>{nodesText(progress)}</span>
  </>
);

interface ProgressBarProps {
  readonly progress: GenerationProgress;
  readonly busy: boolean;
  /** Without it the bar has no value, and there are no figures: 0% would be a guess. */
  readonly known: boolean;
}

const ProgressBar = ({ progress, busy, known }: ProgressBarProps): ReactElement => (
  <div className="gc-progress">
    <div
      className={busy ? 'gc-bar gc-bar-busy' : 'gc-bar'}
      role="progressbar"
      aria-label="Progress of the generation"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? wholePercent(progress.percentage) : undefined}
    >
      <div className="gc-fill" style={{ width: `${progress.percentage}%` }} />
    </div>
    <div className="gc-figures">{known && <Figures progress={progress} />}</div>
  </div>
);

const nodeText = ({ nodeName, nodeType, nodeId }: GenerationError): string => {
  const name = nodeName ?? nodeType;
  if (name === null) return nodeId === null ? '' : `Node ${nodeId}`;
  const type = nodeType === null || nodeType === name ? '' : `${nodeType}, `;
  return nodeId === null ? name : `${name} (${type}node ${nodeId})`;
};

const ErrorPanel = ({ error }: { error: GenerationError }): ReactElement => {
  const node = nodeText(error);
  return (
    <div className="gc-error" role="alert" data-testid="error">
      {node !== '' && <strong>{node}</strong>}
      <span>{error.message}</span>
    </div>
  );
};

const Outputs = ({ generation }: { generation: Generation }): ReactElement | null => {
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

const hasBar = (status: GenerationStatus): boolean =>
  status !== 'idle' && status !== 'failed' && status !== 'cancelled';

const isWaiting = (status: GenerationStatus): boolean =>
  status === 'submitting' ||
  status === 'resuming' ||
  status === 'pending' ||
  status === 'assigned' ||
  status === 'retrying';

export interface GenerateClientProps {
  readonly generation: Generation;
}

/** Nothing at all before the first generation, so that a page may place its own words there. */
export const GenerateClient = ({ generation }: GenerateClientProps): ReactElement | null => {
  const { status, currentNode, nodeState, message, error, progress } = generation;
  if (status === 'idle') return null;
  return (
    <section className="gc" data-status={status} aria-label="Generation">
      <div className="gc-head">
        <h2>{TITLES[status]}</h2>
        <p className="gc-message" data-testid="message" aria-live="polite">
          {error !== null && message === error.message ? '' : message}
        </p>
      </div>
      {currentNode !== '' && <CurrentNode name={currentNode} state={nodeState} />}
      {hasBar(status) && (
        <ProgressBar progress={progress} busy={isWaiting(status)} known={status !== 'resuming'} />
      )}
      {error !== null && <ErrorPanel error={error} />}
      <Outputs generation={generation} />
    </section>
  );
};
