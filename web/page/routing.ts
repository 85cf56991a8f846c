/** Which view the address names: what follows the `#`. A link or a refresh leads to the same view. */
import { useSyncExternalStore } from 'react';

export type Route =
  | { readonly view: 'create' | 'gallery' | 'workers' | 'events' }
  | { readonly view: 'job'; readonly jobId: string };

const VIEWS = ['gallery', 'workers', 'events'] as const;

/** Anything unknown is the first view. */
export const readRoute = (hash: string): Route => {
  const [first = '', second = ''] = hash.replace(/^#\/?/, '').split('/');
  if (first === 'jobs' && /^[\w-]{1,64}$/.test(second)) return { view: 'job', jobId: second };
  return { view: VIEWS.find((view) => view === first) ?? 'create' };
};

export const hrefOf = (route: Route): string => {
  if (route.view === 'job') return `#/jobs/${route.jobId}`;
  return route.view === 'create' ? '#/' : `#/${route.view}`;
};

export const goTo = (route: Route): void => {
  window.location.hash = hrefOf(route);
};

const subscribe = (listener: () => void): (() => void) => {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
};

export const useRoute = (): Route => {
  const hash = useSyncExternalStore(
    subscribe,
    () => window.location.hash,
    () => '',
  );
  return readRoute(hash);
};
