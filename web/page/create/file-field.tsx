/** A file that the workflow loads: chosen here, uploaded at once, and named in `inputs` of the submission. */
import { useId, useState, type ReactElement } from 'react';
import type { NodeProblem } from '../api/pipeline-error.ts';
import { messageOf } from '../api/pipeline-error.ts';
import { useServices } from '../page-services.ts';
import type { Parameter } from '../workflow/find-parameters.ts';
import type { ChosenFile } from '../workflow/form-values.ts';
import { Problems } from './field.tsx';

export interface FileFieldProps {
  readonly parameter: Parameter;
  /** Name of the file that stands in the workflow. */
  readonly value: string;
  readonly chosen: ChosenFile | undefined;
  readonly problems: readonly NodeProblem[];
  readonly onChoose: (file: ChosenFile | undefined) => void;
}

const ACCEPTED: Readonly<Record<string, string>> = { image: 'image/*', audio: 'audio/*', video: 'video/*' };

export const FileField = ({ parameter, value, chosen, problems, onChoose }: FileFieldProps): ReactElement => {
  const id = useId();
  const { api } = useServices();
  const [state, setState] = useState<{ busy: boolean; error: string }>({ busy: false, error: '' });

  const choose = async (file: File): Promise<void> => {
    setState({ busy: true, error: '' });
    try {
      const fileId = await api.upload(file);
      setState({ busy: false, error: '' });
      onChoose({ fileId, name: file.name });
    } catch (error) {
      setState({ busy: false, error: messageOf(error) });
    }
  };

  const now = state.busy
    ? 'Uploading…'
    : chosen === undefined
      ? `In the workflow: ${value}`
      : `Uploaded: ${chosen.name}`;
  return (
    <div className="field field-wide">
      <label htmlFor={id}>{parameter.label}</label>
      <input
        id={id}
        type="file"
        accept={ACCEPTED[parameter.kind]}
        disabled={state.busy}
        aria-describedby={`${id}-now`}
        onChange={(event) => {
          const file = event.target.files?.[0];
          if (file !== undefined) void choose(file);
        }}
      />
      <p id={`${id}-now`} className="note" aria-live="polite">
        {now}
      </p>
      {state.error !== '' && (
        <p className="hint" role="alert">
          {state.error}
        </p>
      )}
      {problems.length > 0 && (
        <p className="hint">
          <Problems problems={problems} />
        </p>
      )}
    </div>
  );
};
