/** Stored outputs for tests. */
import type { StoredOutput } from '../../../shared-types/index.ts';

export const storedOutput = (index: number, overrides: Partial<StoredOutput> = {}): StoredOutput => ({
  outputId: `00000000-0000-5000-8000-${String(index).padStart(12, '0')}`,
  nodeId: '9',
  outputKey: 'images',
  index,
  kind: 'image',
  src: `https://cdn.example.com/user-1/session-1/${index}.png`,
  mimeType: 'image/png',
  size: 1000 + index,
  filename: `picture_${index}_.png`,
  ...overrides,
});
