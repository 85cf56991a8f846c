import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createPipelineClient } from '../client/pipeline-client.ts';
import { ticketsFrom } from '../client/tickets.ts';
import '../react/generate-client.css';
import { App } from './app.tsx';
import { loadPageConfig } from './page-config.ts';
import './styles.css';

const start = async (place: HTMLElement): Promise<void> => {
  const config = await loadPageConfig(fetch);
  const client = createPipelineClient({ ...config, ticket: ticketsFrom(config) });
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
