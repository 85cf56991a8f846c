import { statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import TestSequencer from '@jest/test-sequencer';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Those that take longest, the longest first. */
const LONGEST = ['browser', 'fleet', 'comfyui-url', 'task-control', 'chaos', 'start'];

/** After them come the other ones of the whole stack, then all the rest. */
const rankOf = (file) => {
  if (!file.startsWith(HERE)) return LONGEST.length + 1;
  const place = LONGEST.indexOf(path.basename(file, '.test.ts'));
  return place < 0 ? LONGEST.length : place;
};

/**
 * What takes longest begins first, so that no core is idle at the end. Jest goes by what the last run measured, and a
 * clean clone has none: then it goes by size of file, by which a minute in a browser may come last.
 */
export default class SlowFirst extends TestSequencer {
  sort(tests) {
    const sizes = new Map(tests.map(({ path: file }) => [file, statSync(file).size]));
    return [...tests].sort(
      (a, b) => rankOf(a.path) - rankOf(b.path) || sizes.get(b.path) - sizes.get(a.path),
    );
  }
}
