/** Why a submission was not accepted, and what to do. */
import type { ReactElement } from 'react';
import type { ApiError, NodeProblem } from '../api/pipeline-error.ts';
import { adviceForProblem } from '../ui/advice.ts';

export interface RefusalPanelProps {
  readonly refusal: ApiError;
  /** Those that no field shows. */
  readonly problems: readonly NodeProblem[];
}

const headline = ({ code, problems, message }: ApiError): string => {
  if (code === 'unauthorized') return 'An API key is needed: enter it above, then generate again.';
  if (problems.length === 0) return message;
  const count = problems.length === 1 ? 'One input' : `${problems.length} inputs`;
  return `Not submitted. ${count} must be corrected:`;
};

const placeOf = ({ classType, nodeId, input }: NodeProblem): string =>
  `${classType === '' ? 'Node' : classType} (node ${nodeId})${input === undefined ? '' : ` · ${input}`}`;

export const RefusalPanel = ({ refusal, problems }: RefusalPanelProps): ReactElement => {
  const inFields = refusal.problems.filter((problem) => !problems.includes(problem));
  return (
    // Many problems scroll, so the keyboard must be able to reach them.
    <div className="alert" role="alert" data-testid="error" tabIndex={0}>
      <p>{headline(refusal)}</p>
      {refusal.problems.length > 0 && (
        <ul>
          {[...inFields, ...problems].map((problem) => (
            <li key={`${placeOf(problem)} ${problem.message}`}>
              <strong>{placeOf(problem)}</strong> {problem.message.replace(/\.$/, '')}.{' '}
              {adviceForProblem(problem.type)}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
};
