/** What has been done: the nodes of this attempt with their times, and the tries before it. */
import type { ReactElement } from 'react';
import type { NodeRecord } from '../../shared-types/index.ts';
import type { FailedTry } from './generation-view.ts';
import { NodeIcon } from './node-icon.tsx';
import { durationText, stepsText, wholePercent } from './progress-text.ts';

/** The newest are listed; a workflow of thousands would slow the page down. */
const MAX_ROWS = 200;

const NodeRow = ({ node }: { readonly node: NodeRecord }): ReactElement => (
  <li className="gc-row" data-state={node.state}>
    <NodeIcon nodeType={node.nodeType} />
    <span className="gc-row-name">{node.nodeName}</span>
    {node.state === 'cached' ? (
      <span className="gc-badge">cached</span>
    ) : (
      <span className="gc-row-time">{node.durationMs === null ? 'done' : durationText(node.durationMs)}</span>
    )}
  </li>
);

const countText = (done: readonly NodeRecord[]): string => {
  const cached = done.filter(({ state }) => state === 'cached').length;
  return cached === 0 ? `${done.length}` : `${done.length}, ${cached} cached`;
};

export interface NodeHistoryProps {
  readonly nodes: readonly NodeRecord[];
  /** How it begins; then it is as it was last set by hand. */
  readonly open: boolean;
}

export const NodeHistory = ({ nodes, open }: NodeHistoryProps): ReactElement | null => {
  const done = nodes.filter(({ state }) => state !== 'executing');
  if (done.length === 0) return null;
  return (
    <details className="gc-history" data-testid="history" open={open}>
      <summary>
        <h3>Completed nodes</h3>
        <span className="gc-count">{countText(done)}</span>
      </summary>
      {/* It scrolls, so the keyboard must be able to reach it. */}
      <div className="gc-rows-area" role="group" aria-label="Completed nodes" tabIndex={0}>
        <ol className="gc-rows">
          {done.slice(-MAX_ROWS).map((node) => (
            <NodeRow key={node.nodeId} node={node} />
          ))}
        </ol>
      </div>
    </details>
  );
};

const changeText = ({ change }: FailedTry, tried: string): string =>
  change === '' ? `${tried} again as it was` : `${tried} again with ${change}`;

/** `at K-Sampler, 15/20 steps (67%)`. */
const whereText = (one: FailedTry): string => {
  const steps = stepsText(one);
  const node = one.nodeName === '' ? '' : ` at ${one.nodeName}${steps === '' ? '' : `, ${steps}`}`;
  // One that failed before it told anything stood nowhere, not at 0%.
  const percentage = one.percentage > 0 ? ` (${wholePercent(one.percentage)}%)` : '';
  return `Try ${one.number} failed${node}${percentage}`;
};

export interface FailedTriesProps {
  readonly tries: readonly FailedTry[];
  /** The next one has not begun. */
  readonly waiting: boolean;
}

export const FailedTries = ({ tries, waiting }: FailedTriesProps): ReactElement | null =>
  tries.length === 0 ? null : (
    <div className="gc-tries" data-testid="retries">
      <h3>Earlier tries</h3>
      <ol>
        {tries.map((one) => (
          <li key={one.number}>
            <strong>{whereText(one)}</strong>
            <span>{one.message}</span>
            <span className="gc-change">
              {changeText(one, waiting && one === tries.at(-1) ? 'Will be tried' : 'Tried')}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
