/** Each detail-type of the catalogue (and so each rule) has code that publishes it, on the side it is said to come from. */
import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { detailTypes, eventCatalogue, isDetailType } from '../shared-types/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const sourcesOf = (folder: string): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/\.test\.ts$|\.fake\.ts$|test-support/.test(file))
    .map((file) =>
      readFileSync(path.join(root, folder, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''),
    );

/** Detail-types that stand where an event is made, not where one is consumed or compared. */
const publishedBy = (folder: string, pattern: RegExp): Set<string> =>
  new Set(sourcesOf(folder).flatMap((text) => [...text.matchAll(pattern)].map((match) => match[1] ?? '')));

const published = {
  monitor: publishedBy(
    'monitor',
    /(?:emit|end|close|publish|finish)[A-Za-z]*\(\s*turn,\s*(?:job,\s*)?'([A-Z][A-Za-z ]+)'/g,
  ),
  pipeline: publishedBy('functions', /detailType: '([A-Z][A-Za-z ]+)'/g),
};

test.each(detailTypes)('%s is published by its origin, and by nobody else', (detailType) => {
  const { origin } = eventCatalogue[detailType];
  expect(published[origin]).toContain(detailType);
  expect(published[origin === 'monitor' ? 'pipeline' : 'monitor']).not.toContain(detailType);
});

test('nothing is published that the catalogue does not know', () => {
  for (const detailType of [...published.monitor, ...published.pipeline])
    expect(isDetailType(detailType)).toBe(true);
});
