import type { ReactElement } from 'react';
import type { StoredOutput } from '../../shared-types/index.ts';
import type { Connection, PipelineClient } from '../client/client-contract.ts';
import { GenerateClient } from '../react/generate-client.tsx';
import type { GenerationStatus } from '../react/generation-store.ts';
import { OutputView } from '../react/output-view.tsx';
import { useGeneration } from '../react/use-generation.ts';
import { useGallery } from './gallery.ts';
import { WorkflowForm } from './workflow-form.tsx';

const CONNECTIONS: Readonly<Record<Connection, string>> = {
  idle: 'Not connected',
  connecting: 'Connecting',
  open: 'Live',
  reconnecting: 'Reconnecting',
  polling: 'Polling',
  closed: 'Closed',
};

const isBusy = (status: GenerationStatus): boolean =>
  status !== 'idle' && status !== 'completed' && status !== 'failed' && status !== 'cancelled';

const Gallery = ({ outputs }: { outputs: readonly StoredOutput[] }): ReactElement | null =>
  outputs.length === 0 ? null : (
    <section className="gallery" aria-label="Earlier in this session">
      <h2>Earlier in this session</h2>
      <div className="gallery-grid">
        {outputs.map((output) => (
          <OutputView key={output.outputId} output={output} testId="gallery-picture" />
        ))}
      </div>
    </section>
  );

export const App = ({ client }: { readonly client: PipelineClient }): ReactElement => {
  const generation = useGeneration({ client });
  const gallery = useGallery(generation);
  const { status, connection, images } = generation;
  const shown = new Set(images.map(({ outputId }) => outputId));
  return (
    <main>
      <header className="top">
        <div>
          <h1>ComfyUI pipeline</h1>
          <p>Submit a workflow and watch every node as it runs.</p>
        </div>
        <span className="connection" data-testid="connection" data-state={connection} role="status">
          {CONNECTIONS[connection]}
        </span>
      </header>
      <div className="work">
        <WorkflowForm busy={isBusy(status)} onSubmit={(submission) => void generation.generate(submission)} />
        {status === 'idle' && <p className="empty">Progress and pictures appear here.</p>}
        <GenerateClient generation={generation} />
      </div>
      <Gallery outputs={gallery.filter(({ outputId }) => !shown.has(outputId))} />
    </main>
  );
};
