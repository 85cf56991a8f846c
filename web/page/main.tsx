import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '../react/generate-client.css';
import { loadPageConfig } from './page-config.ts';
import { Root } from './root.tsx';
import './styles.css';
import { applyTheme } from './theme.ts';

const start = async (place: HTMLElement): Promise<void> => {
  const config = await loadPageConfig(fetch);
  createRoot(place).render(
    <StrictMode>
      <Root config={config} />
    </StrictMode>,
  );
};

applyTheme();
const place = document.getElementById('app');
if (place !== null) {
  start(place).catch((error: unknown) => {
    place.className = 'unconfigured';
    place.setAttribute('role', 'alert');
    place.textContent = error instanceof Error ? error.message : String(error);
  });
}
