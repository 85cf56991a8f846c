/** What a job was submitted for, in a few words: five jobs of one workflow look alike without. Kept in this browser. */
import { fieldsOf, parseJson } from '../../client/guards.ts';

const KEY = 'jobTitles';
const MAX_KEPT = 200;
const MAX_LENGTH = 90;

type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem'>;

export interface JobTitles {
  titleOf(jobId: string): string | undefined;
  keep(jobId: string, title: string): void;
}

const shortened = (title: string): string => {
  const line = title.replace(/\s+/g, ' ').trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH - 1)}…` : line;
};

/** Forbidden or full storage: the titles then last until the page is left. */
const read = (storage: () => Storage): Map<string, string> => {
  try {
    const kept = Object.entries(fieldsOf(parseJson(storage().getItem(KEY) ?? '')) ?? {});
    return new Map(kept.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return new Map();
  }
};

export const createJobTitles = (storage: () => Storage): JobTitles => {
  const titles = read(storage);
  return {
    titleOf: (jobId) => titles.get(jobId),
    keep(jobId, title) {
      if (shortened(title) === '') return;
      titles.set(jobId, shortened(title));
      const oldest = titles.keys().next().value;
      if (titles.size > MAX_KEPT && oldest !== undefined) titles.delete(oldest);
      try {
        storage().setItem(KEY, JSON.stringify(Object.fromEntries(titles)));
      } catch {
        // See `read`.
      }
    },
  };
};
