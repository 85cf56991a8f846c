/** What was generated in this session, newest first; survives a refresh. */
import { useEffect, useState } from 'react';
import type { StoredOutput } from '../../shared-types/index.ts';
import { parseJson } from '../client/guards.ts';
import { readPushOutputs } from '../client/read-outputs.ts';
import type { Generation } from '../react/use-generation.ts';

const KEY = 'gallery';
const MAX_KEPT = 60;

/** Those of a job stand in their order, before all earlier ones; none twice. */
export const withOutputs = (
  gallery: readonly StoredOutput[],
  outputs: readonly StoredOutput[],
): readonly StoredOutput[] => {
  const known = new Set(gallery.map(({ outputId }) => outputId));
  const fresh = outputs.filter(({ outputId }) => !known.has(outputId));
  return fresh.length === 0 ? gallery : [...fresh, ...gallery].slice(0, MAX_KEPT);
};

const stored = (): readonly StoredOutput[] => {
  try {
    return readPushOutputs(parseJson(sessionStorage.getItem(KEY) ?? '[]'));
  } catch {
    return [];
  }
};

const store = (gallery: readonly StoredOutput[]): void => {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(gallery));
  } catch {
    // Forbidden or full: the gallery then lasts until the page is left.
  }
};

export const useGallery = ({ status, images }: Generation): readonly StoredOutput[] => {
  const [gallery, setGallery] = useState(stored);
  const next = status === 'completed' ? withOutputs(gallery, images) : gallery;
  if (next !== gallery) setGallery(next);
  useEffect(() => store(gallery), [gallery]);
  return gallery;
};
