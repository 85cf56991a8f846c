import { expect, test } from '@jest/globals';
import { openAccessOf } from './open-access.ts';

test('the stage local may be open, and only when it says so', () => {
  expect(openAccessOf({ STAGE: 'local', OPEN_ACCESS: 'true' })).toBe(true);
  expect(openAccessOf({ STAGE: 'local', OPEN_ACCESS: 'false' })).toBe(false);
  expect(openAccessOf({ STAGE: 'prod', OPEN_ACCESS: 'false' })).toBe(false);
});

test.each(['dev', 'prod', '', 'Local'])('an open stage "%s" serves nobody at all', (STAGE) => {
  expect(() => openAccessOf({ STAGE, OPEN_ACCESS: 'true' })).toThrow('stage local');
});
