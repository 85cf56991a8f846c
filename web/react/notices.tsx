/** What is out of the ordinary: a failure, other parameters than those that were asked for, a line that was lost. */
import type { ReactElement } from 'react';
import { adviceForReason } from './failure-advice.ts';
import { isBusy, type GenerationError, type GenerationView } from './generation-view.ts';

const nodeText = ({ nodeName, nodeType, nodeId }: GenerationError): string => {
  const name = nodeName ?? nodeType;
  if (name === null) return nodeId === null ? '' : `Node ${nodeId}`;
  const type = nodeType === null || nodeType === name ? '' : `${nodeType}, `;
  return nodeId === null ? name : `${name} (${type}node ${nodeId})`;
};

export const ErrorPanel = ({ error }: { readonly error: GenerationError }): ReactElement => {
  const node = nodeText(error);
  const advice = adviceForReason(error.reason);
  return (
    <div className="gc-error" role="alert" data-testid="error">
      {node !== '' && <strong>{node}</strong>}
      <span>{error.message}</span>
      {advice !== undefined && (
        <span className="gc-advice">
          <b>What to do:</b> {advice}
        </span>
      )}
    </div>
  );
};

/** Why this try is not what was asked for, as long as it is at work; afterwards the list of tries tells. */
export const otherTryOf = ({ status, retries }: GenerationView): string =>
  isBusy(status) ? (retries.findLast(({ note }) => note !== '')?.note ?? '') : '';

export const OtherTry = ({ text }: { readonly text: string }): ReactElement | null =>
  text === '' ? null : (
    <p className="gc-notice" data-testid="other-try">
      {text}
    </p>
  );

/** What is shown is then not what is: said where one looks, not only at the edge of the page. */
export const LostLine = ({ connection, status }: GenerationView): ReactElement | null => {
  if (!isBusy(status) || (connection !== 'reconnecting' && connection !== 'polling')) return null;
  const what = connection === 'polling' ? 'news come every few seconds' : 'this is what was known last';
  return (
    <p className="gc-notice" data-testid="lost-line">
      The live connection was lost: {what}. Your job goes on.
    </p>
  );
};
