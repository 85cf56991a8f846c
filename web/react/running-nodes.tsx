/** What is at work now: one node as a panel, several side by side. */
import type { ReactElement } from 'react';
import type { RunningNode } from '../../shared-types/index.ts';
import type { JobPreview } from '../client/job-model.ts';
import { stepsOf } from './generation-view.ts';
import { NodeIcon } from './node-icon.tsx';
import { stepsText } from './progress-text.ts';

/** More do not fit on a screen; the rest is counted. */
const MAX_CARDS = 8;

interface NodeCardProps {
  readonly node: RunningNode;
  readonly main: boolean;
}

const NodeCard = ({ node, main }: NodeCardProps): ReactElement => {
  const counted = stepsOf(node);
  return (
    <li className="gc-node">
      <NodeIcon nodeType={node.nodeType} />
      <div className="gc-node-text">
        <span className="gc-label">
          <span className="gc-dot" aria-hidden="true" />
          Currently processing
        </span>
        <strong data-testid={main ? 'current-node' : 'parallel-node'}>{node.nodeName}</strong>
        {counted.steps > 0 && (
          <span className="gc-node-bar" aria-hidden="true">
            <span style={{ width: `${node.nodePercentage}%` }} />
          </span>
        )}
      </div>
      <div className="gc-node-side">
        {node.nodeState !== '' && <span className="gc-chip">{node.nodeState}</span>}
        {!main && counted.steps > 0 && <span className="gc-node-steps">{stepsText(counted)}</span>}
      </div>
    </li>
  );
};

export interface RunningNodesProps {
  /** The one that matters most first. */
  readonly nodes: readonly RunningNode[];
}

export const RunningNodes = ({ nodes }: RunningNodesProps): ReactElement | null => {
  if (nodes.length === 0) return null;
  const hidden = nodes.length - MAX_CARDS;
  return (
    <div>
      <ul className="gc-nodes" aria-label="Nodes at work">
        {nodes.slice(0, MAX_CARDS).map((node, index) => (
          <NodeCard key={node.nodeId} node={node} main={index === 0} />
        ))}
      </ul>
      {hidden > 0 && <p className="gc-more">and {hidden} more</p>}
    </div>
  );
};

/** The picture as far as it is; the end takes its place. */
export const Preview = ({ preview }: { readonly preview: JobPreview }): ReactElement => (
  <figure className="gc-preview">
    <img
      data-testid="preview"
      src={`data:${preview.mimeType};base64,${preview.image}`}
      alt="Preview of what is being generated"
    />
  </figure>
);
