/** Files at URLs, in memory. */
import { Readable } from 'node:stream';
import type { RemoteFiles } from '../../core/ports.ts';

type Answer = Awaited<ReturnType<RemoteFiles['open']>>;

export interface FakeRemoteFiles extends RemoteFiles {
  putFile(url: string, content: string): void;
  /** Until told otherwise the URL is answered so. */
  answer(url: string, answer: Exclude<Answer, { kind: 'found' }>): void;
}

export const createFakeRemoteFiles = (): FakeRemoteFiles => {
  const answers = new Map<string, () => Answer>();
  return {
    putFile: (url, content) => {
      const bytes = Buffer.from(content);
      answers.set(url, () => ({ kind: 'found', body: Readable.from([bytes]), size: bytes.length }));
    },
    answer: (url, answer) => void answers.set(url, () => answer),
    open: async (url) => answers.get(url)?.() ?? { kind: 'refused', message: 'HTTP 404' },
  };
};
