import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createPipelineClient } from '../client/pipeline-client.ts';
import '../react/generate-client.css';
import { App } from './app.tsx';
import { loadPageConfig } from './page-config.ts';
import './styles.css';

const start = async (place: HTMLElement): Promise<void> => {
  const client = createPipelineClient(await loadPageConfig(fetch));
  window.addEventListener('online', () => client.reconnectNow());
  createRoot(place).render(
    <StrictMode>
      <App client={client} />
    </StrictMode>,
  );
};

const place = document.getElementById('app');
if (place !== null) {
  start(place).catch((error: unknown) => {
    place.className = 'unconfigured';
    place.setAttribute('role', 'alert');
    place.textContent = error instanceof Error ? error.message : String(error);
  });
}
