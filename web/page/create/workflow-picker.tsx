/** Chooses the workflow: an example, a stored one, or a file. */
import { useCallback, useId, useRef, type ReactElement } from 'react';
import { messageOf } from '../api/pipeline-error.ts';
import { useActions, useServices } from '../page-services.ts';
import { Icon } from '../ui/icon.tsx';
import { useLoaded } from '../ui/use-loaded.ts';
import { exampleWorkflows } from '../workflow/example-workflows.ts';
import { draftOf, type Draft } from './draft.ts';

export interface WorkflowPickerProps {
  readonly draft: Draft;
  readonly onDraft: (draft: Draft) => void;
  readonly onFile: (file: File) => void;
}

const OWN = 'own';

const chosenValue = ({ origin, workflowId }: Draft): string => {
  if (origin === '') return workflowId;
  return origin === 'stored' ? `stored:${workflowId}` : OWN;
};

export const WorkflowPicker = ({ draft, onDraft, onFile }: WorkflowPickerProps): ReactElement => {
  const id = useId();
  const { api } = useServices();
  const { say } = useActions();
  const input = useRef<HTMLInputElement>(null);
  const listed = useCallback(() => api.storedWorkflows(), [api]);
  const loaded = useLoaded(listed).value ?? [];
  // The chosen one is there before the list is, and where the list cannot be had.
  const chosenId = draft.origin === 'stored' ? [draft.workflowId] : [];
  const stored = [...new Set([...loaded.map((workflow) => workflow.id), ...chosenId])];

  // Only the newest choice may change the form: an answer that comes late is of one that was left.
  const newest = useRef('');

  const openStored = async (wanted: string): Promise<void> => {
    try {
      const { text, parameters } = await api.storedWorkflow(wanted);
      if (newest.current === wanted) onDraft(draftOf(wanted, text, { named: parameters, origin: 'stored' }));
    } catch (error) {
      say(`The workflow could not be loaded: ${messageOf(error)}`);
    }
  };

  const choose = (value: string): void => {
    const example = exampleWorkflows.find((one) => one.id === value);
    newest.current = value.startsWith('stored:') ? value.slice('stored:'.length) : '';
    if (newest.current !== '') void openStored(newest.current);
    if (example !== undefined) onDraft(draftOf(example.id, example.text));
  };

  return (
    <div className="field field-wide">
      <label htmlFor={id}>Workflow</label>
      <div className="picker-row">
        <select
          id={id}
          data-testid="workflow"
          value={chosenValue(draft)}
          onChange={(event) => choose(event.target.value)}
        >
          <optgroup label="Examples">
            {exampleWorkflows.map((example) => (
              <option key={example.id} value={example.id}>
                {example.label}
              </option>
            ))}
          </optgroup>
          {stored.length > 0 && (
            <optgroup label="Stored">
              {stored.map((workflowId) => (
                <option key={workflowId} value={`stored:${workflowId}`}>
                  {workflowId}
                </option>
              ))}
            </optgroup>
          )}
          {chosenValue(draft) === OWN && (
            <optgroup label="Yours">
              <option value={OWN}>{`${draft.workflowId} (${draft.origin})`}</option>
            </optgroup>
          )}
        </select>
        <button type="button" className="button" onClick={() => input.current?.click()}>
          <Icon name="upload" /> Open file
        </button>
        <input
          ref={input}
          type="file"
          hidden
          data-testid="workflow-file"
          accept=".json,.png,application/json,image/png"
          onChange={(event) => {
            const file = event.target.files?.[0];
            event.target.value = '';
            if (file !== undefined) onFile(file);
          }}
        />
      </div>
      <p className="note">Or drop a workflow here: API-format JSON, or a PNG that ComfyUI made.</p>
    </div>
  );
};
