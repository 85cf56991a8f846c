/** One value of the workflow, as a field of its kind. */
import { useId, type ReactElement } from 'react';
import type { NodeProblem } from '../api/pipeline-error.ts';
import { adviceForProblem } from '../ui/advice.ts';
import { Icon } from '../ui/icon.tsx';
import { randomSeed } from '../workflow/edit-workflow.ts';
import type { Parameter } from '../workflow/find-parameters.ts';
import { wantedOf } from '../workflow/form-values.ts';

export interface FieldProps {
  readonly parameter: Parameter;
  readonly value: string;
  readonly valid: boolean;
  /** Why the server refused it. */
  readonly problems: readonly NodeProblem[];
  readonly onChange: (value: string) => void;
}

interface ControlProps extends FieldProps {
  readonly id: string;
  readonly describedBy: string | undefined;
}

/** For tests, and for whoever scripts the page: the parameters of every usual workflow. */
const TEST_IDS: Readonly<Record<string, string>> = {
  positive: 'prompt',
  negative: 'negative',
  seed: 'seed',
  steps: 'steps',
  ckpt_name: 'checkpoint',
};

const Control = ({
  id,
  parameter,
  value,
  valid,
  problems,
  describedBy,
  onChange,
}: ControlProps): ReactElement => {
  const { kind } = parameter;
  const shared = {
    id,
    value,
    'data-testid': TEST_IDS[parameter.id],
    'aria-invalid': !valid || problems.length > 0,
    'aria-describedby': describedBy,
    autoComplete: 'off',
  };
  if (kind === 'longText') {
    const rows = parameter.id.startsWith('positive') ? 3 : 2;
    return <textarea {...shared} rows={rows} onChange={(event) => onChange(event.target.value)} />;
  }
  if (kind === 'boolean') {
    return (
      <select {...shared} onChange={(event) => onChange(event.target.value)}>
        <option value="true">Yes</option>
        <option value="false">No</option>
      </select>
    );
  }
  const numeric = kind === 'seed' || kind === 'whole' ? 'numeric' : kind === 'number' ? 'decimal' : undefined;
  return (
    <input
      {...shared}
      inputMode={numeric}
      spellCheck={kind === 'text' ? undefined : false}
      onChange={(event) => onChange(event.target.value)}
    />
  );
};

export const Problems = ({ problems }: { readonly problems: readonly NodeProblem[] }): ReactElement => (
  <>
    {problems.map(({ type, message }) => (
      <span key={`${type} ${message}`}>
        {message.replace(/\.$/, '')}. {adviceForProblem(type)}
      </span>
    ))}
  </>
);

/** Texts of a line or more, and names of files. */
const isWide = ({ kind, raw }: Parameter): boolean =>
  kind === 'longText' || (kind === 'text' && raw.length > 14);

export const Field = (props: FieldProps): ReactElement => {
  const id = useId();
  const { parameter, valid, problems, onChange } = props;
  const wrong = !valid || problems.length > 0;
  const hintId = `${id}-hint`;
  const control = <Control {...props} id={id} describedBy={wrong ? hintId : undefined} />;
  return (
    <div className={isWide(parameter) || wrong ? 'field field-wide' : 'field'}>
      <label htmlFor={id}>{parameter.label}</label>
      {parameter.kind !== 'seed' && control}
      {parameter.kind === 'seed' && (
        <div className="seed-row">
          {control}
          <button type="button" className="button" onClick={() => onChange(randomSeed())}>
            <Icon name="dice" /> Random
          </button>
        </div>
      )}
      {wrong && (
        <p id={hintId} className="hint">
          {valid ? <Problems problems={problems} /> : wantedOf(parameter.kind)}
        </p>
      )}
    </div>
  );
};
