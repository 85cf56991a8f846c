/** Copies texts and saves files: what a browser does in its own ways. */
import type { StoredOutput } from '../../../shared-types/index.ts';
import { safeUrl } from '../../react/output-view.tsx';

/** False where the browser forbids it (no permission, no secure page). */
export const copyText = async (text: string): Promise<boolean> => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
};

const saveAs = (href: string, name: string): void => {
  const link = document.createElement('a');
  link.href = href;
  link.download = name;
  link.rel = 'noopener noreferrer';
  link.target = '_blank';
  link.click();
};

/** Browsers save from another host only what was fetched; where that is forbidden, the file is opened instead. */
export const downloadOutput = async ({ src, filename }: StoredOutput): Promise<void> => {
  const href = safeUrl(src);
  if (href === undefined) return;
  try {
    const response = await fetch(href);
    if (!response.ok) throw new Error(`answered ${response.status}`);
    const local = URL.createObjectURL(await response.blob());
    saveAs(local, filename);
    setTimeout(() => URL.revokeObjectURL(local), 60_000);
  } catch {
    saveAs(href, filename);
  }
};

export const absoluteUrl = (src: string): string => new URL(src, window.location.href).href;
