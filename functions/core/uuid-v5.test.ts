import { expect, test } from '@jest/globals';
import * as z from 'zod';
import { uuidV5 } from './uuid-v5.ts';

test('gives the ids of the RFC for its own example', () => {
  const dns = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
  expect(uuidV5('www.example.com', dns)).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
  expect(uuidV5('python.org', dns)).toBe('886313e1-3b8a-5372-9b90-0c9aee199e5d');
});

test('the same name has the same id, another name another', () => {
  expect(uuidV5('a')).toBe(uuidV5('a'));
  expect(uuidV5('a')).not.toBe(uuidV5('b'));
});

test('is a valid UUID for any name, a lone surrogate too', () => {
  for (const name of ['', '\u0000', 'ünï 世界', '\ud800']) {
    expect(z.uuid({ version: 'v5' }).safeParse(uuidV5(name)).success).toBe(true);
  }
});
