/** The workflow's parameters as a form. */
import { useMemo, useState, type FormEvent, type ReactElement, type ReactNode } from 'react';
import type { ApiError, NodeProblem } from '../api/pipeline-error.ts';
import {
  findParameters,
  type NodeInputs,
  type Parameter,
  type WorkflowForm,
} from '../workflow/find-parameters.ts';
import {
  addressOf,
  allValid,
  fileInputs,
  filledWorkflow,
  isValid,
  shownValue,
  withTyped,
  type ChosenFile,
  type TypedValues,
} from '../workflow/form-values.ts';
import type { Submission } from '../api/pipeline-api.ts';
import type { Draft } from './draft.ts';
import { useServices } from '../page-services.ts';
import { SwitchBox } from '../ui/switch-box.tsx';
import { randomSeed } from '../workflow/edit-workflow.ts';
import { Field } from './field.tsx';
import { FileField } from './file-field.tsx';
import { RefusalPanel } from './refusal-panel.tsx';
import { WorkflowPicker } from './workflow-picker.tsx';

export interface TitledSubmission extends Submission {
  /** What it is for, in a few words; empty where the workflow has no text. */
  readonly title: string;
}

export interface WorkflowFormProps {
  readonly draft: Draft;
  readonly onDraft: (draft: Draft) => void;
  readonly onFile: (file: File) => void;
  readonly submitting: boolean;
  /** Of the last submission. */
  readonly refusal: ApiError | undefined;
  readonly onSubmit: (submission: TitledSubmission) => void;
  /** Keeps the workflow, as it stands in the form, in the pipeline. */
  readonly onStore: (workflowId: string, payload: string) => Promise<void>;
}

const FILE_KINDS: readonly string[] = ['image', 'audio', 'video'];

const problemsAt = (problems: readonly NodeProblem[], { paths }: Parameter): readonly NodeProblem[] =>
  problems.filter(({ nodeId, input }) => paths.some((path) => path[0] === nodeId && path[2] === input));

interface FieldsProps extends Pick<WorkflowFormProps, 'draft' | 'onDraft'> {
  readonly parameters: readonly Parameter[];
  readonly problems: readonly NodeProblem[];
}

const withFile = (draft: Draft, address: string, file: ChosenFile | undefined): Draft => {
  const { [address]: _before, ...others } = draft.files;
  return { ...draft, files: file === undefined ? others : { ...others, [address]: file } };
};

const Fields = ({ parameters, draft, onDraft, problems }: FieldsProps): ReactElement => (
  <div className="fields">
    {parameters.map((parameter) => {
      const address = addressOf(parameter.paths[0]);
      const value = shownValue(parameter, draft.typed);
      const shared = { parameter, value, problems: problemsAt(problems, parameter) };
      return FILE_KINDS.includes(parameter.kind) ? (
        <FileField
          key={parameter.id}
          {...shared}
          chosen={draft.files[address]}
          onChoose={(file) => onDraft(withFile(draft, address, file))}
        />
      ) : (
        <Field
          key={parameter.id}
          {...shared}
          valid={isValid(parameter, draft.typed)}
          onChange={(typed) => onDraft({ ...draft, typed: withTyped(draft.typed, parameter, typed) })}
        />
      );
    })}
  </div>
);

const NodeFields = ({
  node,
  ...rest
}: Omit<FieldsProps, 'parameters'> & { readonly node: NodeInputs }): ReactElement => (
  <fieldset className="node-fields">
    <legend>
      {node.title}{' '}
      <span className="note">
        {node.title === node.classType ? node.nodeId : `${node.classType} · ${node.nodeId}`}
      </span>
    </legend>
    <Fields {...rest} parameters={node.inputs} />
  </fieldset>
);

/** Fields are only made once it is open: a workflow may have thousands. */
const AllInputs = ({
  nodes,
  children,
  ...rest
}: Omit<FieldsProps, 'parameters'> & {
  readonly nodes: readonly NodeInputs[];
  readonly children: ReactNode;
}): ReactElement => {
  const [open, setOpen] = useState(false);
  return (
    <details className="all-inputs" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>All inputs of {nodes.length} nodes</summary>
      {open && nodes.map((node) => <NodeFields key={node.nodeId} {...rest} node={node} />)}
      {open && children}
    </details>
  );
};

/** Where there is nothing to say about a field, it is told above all of them. */
const elsewhere = (form: WorkflowForm, problems: readonly NodeProblem[]): readonly NodeProblem[] => {
  const shown = new Set([...form.main].flatMap((parameter) => problemsAt(problems, parameter)));
  return problems.filter((problem) => !shown.has(problem));
};

const withFreshSeeds = (typed: TypedValues, seeds: readonly Parameter[]): TypedValues =>
  seeds.reduce((before, parameter) => withTyped(before, parameter, randomSeed()), typed);

export const WorkflowFormView = (props: WorkflowFormProps): ReactElement => {
  const { draft, onDraft, onFile, submitting, refusal, onSubmit, onStore } = props;
  const form = useMemo(() => findParameters(draft.text, draft.named), [draft.text, draft.named]);
  const { smaller, freshSeeds } = useServices();
  const seeds = form.main.filter(({ kind }) => kind === 'seed');
  const problems = refusal?.problems ?? [];
  const ready = allValid(form, draft.typed) && !submitting;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!ready) return;
    // Before, not after: the seed that stands in the form is that of the picture which one sees.
    const typed = freshSeeds.isOn() ? withFreshSeeds(draft.typed, seeds) : draft.typed;
    if (typed !== draft.typed) onDraft({ ...draft, typed });
    const payload = filledWorkflow(draft.text, form, typed);
    const first = form.main.find(({ kind }) => kind === 'longText');
    const title = first === undefined ? '' : shownValue(first, typed);
    onSubmit({ workflowId: draft.workflowId, payload, inputs: fileInputs(draft.files), title });
  };
  const store = (): void => {
    const payload = filledWorkflow(draft.text, form, draft.typed);
    void onStore(draft.workflowId, payload);
  };
  const shared = { draft, onDraft, problems };
  return (
    <form className="card workflow-form" onSubmit={submit} noValidate>
      <WorkflowPicker draft={draft} onDraft={onDraft} onFile={onFile} />
      <Fields {...shared} parameters={form.main} />
      <AllInputs {...shared} nodes={form.nodes}>
        <button type="button" className="button" disabled={!ready} onClick={store}>
          Store this workflow
        </button>
      </AllInputs>
      <div className="checks">
        {seeds.length > 0 && <SwitchBox of={freshSeeds} label="A new seed each time" />}
        <SwitchBox of={smaller} label="If the GPU runs out of memory, try again smaller" />
      </div>
      <div className="generate-bar">
        {refusal !== undefined && <RefusalPanel refusal={refusal} problems={elsewhere(form, problems)} />}
        <button type="submit" className="button button-main" data-testid="generate" disabled={!ready}>
          {submitting ? 'Submitting…' : 'Generate'}
        </button>
      </div>
    </form>
  );
};
