import { useState, type FormEvent, type ReactElement } from 'react';
import type { TaskSubmission } from '../client/task-api.ts';
import { randomSeed, readSeed, withInputs, workflowInputs } from './edit-workflow.ts';
import { exampleWorkflows, type ExampleWorkflow } from './example-workflows.ts';

const PRIORITY = 5;

export interface WorkflowFormProps {
  readonly busy: boolean;
  readonly onSubmit: (submission: TaskSubmission) => void;
}

const SeedField = ({ seed, onChange }: { seed: string; onChange: (seed: string) => void }): ReactElement => {
  const valid = readSeed(seed) !== undefined;
  return (
    <div className="field">
      <label htmlFor="seed">Seed</label>
      <div className="seed-row">
        <input
          id="seed"
          data-testid="seed"
          inputMode="numeric"
          autoComplete="off"
          value={seed}
          aria-invalid={!valid}
          aria-describedby={valid ? undefined : 'seed-hint'}
          onChange={(event) => onChange(event.target.value)}
        />
        <button type="button" className="quiet" onClick={() => onChange(randomSeed())}>
          Random
        </button>
      </div>
      {!valid && (
        <p id="seed-hint" className="hint">
          A whole number from 0 to 18446744073709551615
        </p>
      )}
    </div>
  );
};

const PromptField = ({
  prompt,
  onChange,
}: {
  prompt: string;
  onChange: (prompt: string) => void;
}): ReactElement => (
  <div className="field">
    <label htmlFor="prompt">Prompt</label>
    <textarea
      id="prompt"
      data-testid="prompt"
      rows={3}
      value={prompt}
      onChange={(event) => onChange(event.target.value)}
    />
  </div>
);

const WorkflowPicker = ({
  chosen,
  onChange,
}: {
  chosen: ExampleWorkflow;
  onChange: (workflow: ExampleWorkflow) => void;
}): ReactElement => (
  <div className="field">
    <label htmlFor="workflow">Workflow</label>
    <select
      id="workflow"
      data-testid="workflow"
      value={chosen.id}
      onChange={(event) => {
        const next = exampleWorkflows.find(({ id }) => id === event.target.value);
        if (next !== undefined) onChange(next);
      }}
    >
      {exampleWorkflows.map(({ id, label }) => (
        <option key={id} value={id}>
          {label}
        </option>
      ))}
    </select>
  </div>
);

export const WorkflowForm = ({ busy, onSubmit }: WorkflowFormProps): ReactElement => {
  const [workflow, setWorkflow] = useState(exampleWorkflows[0]);
  const inputs = workflowInputs(workflow.text);
  const [prompt, setPrompt] = useState(inputs.prompt?.text ?? '');
  const [seed, setSeed] = useState(inputs.seed?.digits ?? '0');

  const choose = (next: ExampleWorkflow): void => {
    const { prompt: nextPrompt, seed: nextSeed } = workflowInputs(next.text);
    setWorkflow(next);
    setPrompt(nextPrompt?.text ?? '');
    setSeed(nextSeed?.digits ?? '0');
  };

  const digits = readSeed(seed);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (busy || digits === undefined) return;
    const payload = withInputs(workflow.text, { prompt, seed: digits });
    onSubmit({ workflow_id: workflow.id, priority: PRIORITY, payload });
  };

  return (
    <form className="card" onSubmit={submit}>
      <div className="field-row">
        <WorkflowPicker chosen={workflow} onChange={choose} />
        {inputs.seed !== undefined && <SeedField seed={seed} onChange={setSeed} />}
      </div>
      {inputs.prompt !== undefined && <PromptField prompt={prompt} onChange={setPrompt} />}
      <button
        type="submit"
        className="generate"
        data-testid="generate"
        disabled={busy || digits === undefined}
      >
        {busy ? 'Generating…' : 'Generate'}
      </button>
    </form>
  );
};
