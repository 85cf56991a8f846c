/** Holds the API key: another key is another client, another list of jobs, another everything. */
import { useCallback, useEffect, useMemo, useState, type ReactElement } from 'react';
import { keepApiKey, readApiKey } from './api-key.ts';
import { App } from './app.tsx';
import type { PageConfig } from './page-config.ts';
import { createPageServices } from './page-services.ts';

export const Root = ({ config }: { readonly config: PageConfig }): ReactElement => {
  const [key, setKey] = useState(readApiKey);
  const [refused, setRefused] = useState(false);
  const onUnauthorized = useCallback(() => setRefused(true), []);
  const services = useMemo(
    () => createPageServices(config, key, onUnauthorized),
    [config, key, onUnauthorized],
  );
  useEffect(() => {
    const online = (): void => services.client.reconnectNow();
    window.addEventListener('online', online);
    return () => window.removeEventListener('online', online);
  }, [services]);
  const onKey = (next: string): void => {
    services.client.close();
    keepApiKey(next);
    setRefused(false);
    setKey(next);
  };
  return (
    <App key={key ?? ''} services={services} needsKey={refused} hasKey={key !== undefined} onKey={onKey} />
  );
};
