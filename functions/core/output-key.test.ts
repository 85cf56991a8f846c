import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { extensionOf, outputIdOf, outputKeyOf } from './output-key.ts';

const place = { userId: 'user-1', sessionId: 'session-1', outputId: 'id', filename: 'a.png' };

test('an output keeps its id, and another place in the job has another', () => {
  const id = outputIdOf('job', '9', 'images', 0);
  expect(outputIdOf('job', '9', 'images', 0)).toBe(id);
  const others = [
    outputIdOf('job2', '9', 'images', 0),
    outputIdOf('job', '9', 'images', 1),
    outputIdOf('job', '9","images', 'x', 0),
    outputIdOf('job', '9', 'gifs', 0),
    outputIdOf('job', '\ud800', 'images', 0),
    outputIdOf('job', '\ud801', 'images', 0),
  ];
  expect(new Set([id, ...others]).size).toBe(7);
});

test('ordinary ids stand in the key as they are', () => {
  expect(outputKeyOf(place)).toBe('user-1/session-1/id.png');
  expect(outputKeyOf({ ...place, userId: 'auth0|7c.1', sessionId: 'a_b' })).toBe('auth0~7c7c.1/a_b/id.png');
});

test.each([
  ['picture.PNG', 'png'],
  ['a.tar.gz', 'gz'],
  ['clip.MP4', 'mp4'],
  ['no extension', 'bin'],
  ['dot.', 'bin'],
  ['.', 'bin'],
  ['x.png [output]', 'bin'],
  ['x.p/../ng', 'bin'],
  ['x.\u202egnp', 'bin'],
  ['x.elevenletter', 'bin'],
  ['x.png\n', 'bin'],
  ['', 'bin'],
])('%j has the extension %s', (filename, extension) => {
  expect(extensionOf(filename)).toBe(extension);
});

describe('whatever an id holds', () => {
  const id = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 128 }),
    fc.string({
      unit: fc.constantFrom('.', '/', '~', '2', 'e', '%', '\\', '\u0000', '\ud800', 'é'),
      maxLength: 128,
    }),
  );

  test('the key has three plain segments and fits into S3', () => {
    fc.assert(
      fc.property(id, id, (userId, sessionId) => {
        const key = outputKeyOf({ ...place, userId, sessionId });
        expect(key).toMatch(/^[\w.~-]+\/[\w.~-]+\/id\.png$/);
        expect(key).not.toMatch(/\.\.|(^|\/)\.|\/\//);
        expect(Buffer.byteLength(key)).toBeLessThan(1024);
      }),
    );
  });

  test('two ids never share a key', () => {
    fc.assert(
      fc.property(id, id, (one, other) => {
        const same = outputKeyOf({ ...place, userId: one }) === outputKeyOf({ ...place, userId: other });
        expect(same).toBe(one === other);
      }),
    );
    const awkward = [
      '',
      '~',
      '.',
      '..',
      '~2e',
      '~2e~2e',
      '.~2e',
      '%2e',
      '~h',
      '~u',
      '\ud800',
      '\ud801',
      '\ufffd',
      '/',
      '~2f',
    ];
    const keys = awkward.map((userId) => outputKeyOf({ ...place, userId }));
    expect(new Set(keys).size).toBe(awkward.length);
  });
});
