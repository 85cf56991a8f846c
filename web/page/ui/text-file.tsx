import { useCallback, type ReactElement } from 'react';
import { useLoaded } from './use-loaded.ts';

/** Longer texts are cut; the download has the whole of it. */
const MAX_SHOWN = 50_000;

const load = async (href: string): Promise<string> => {
  const response = await fetch(href);
  if (!response.ok) throw new Error(`the text was answered with ${response.status}`);
  return (await response.text()).slice(0, MAX_SHOWN);
};

export const TextFile = ({ href }: { readonly href: string }): ReactElement => {
  const { value, error } = useLoaded(useCallback(() => load(href), [href]));
  return (
    <pre className="text-file" tabIndex={0}>
      {error === '' ? (value ?? '…') : 'The text could not be loaded.'}
    </pre>
  );
};
