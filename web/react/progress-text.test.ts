import { expect, test } from '@jest/globals';
import { durationText, etaText, queueText } from './progress-text.ts';

test.each([
  [null, 'estimating the time left'],
  [{ lowSeconds: 0, highSeconds: 0.4 }, 'a moment left'],
  [{ lowSeconds: 0, highSeconds: 3 }, 'about 1–3 s left'],
  [{ lowSeconds: 4, highSeconds: 7 }, 'about 4–7 s left'],
  [{ lowSeconds: 22, highSeconds: 31 }, 'about 20–30 s left'],
  [{ lowSeconds: 29, highSeconds: 31 }, 'about 30 s left'],
  [{ lowSeconds: 70, highSeconds: 130 }, 'about 1–2 min left'],
  [{ lowSeconds: 30, highSeconds: 300 }, 'about 1–5 min left'],
  [{ lowSeconds: 7000, highSeconds: 11_000 }, 'about 2–3 h left'],
  [{ lowSeconds: 600, highSeconds: 600 }, 'about 10 min left'],
])('%j reads %s', (eta, text) => {
  expect(etaText(eta)).toBe(text);
});

test('times read as people say them', () => {
  expect([0, 3, 380, 9949, 9951, 12_400, 59_600, 125_000].map(durationText)).toEqual([
    '< 1 ms',
    '3 ms',
    '0.4 s',
    '9.9 s',
    '10 s',
    '12 s',
    '1 min 00 s',
    '2 min 05 s',
  ]);
});

test('the place in the queue', () => {
  expect([null, 1, 3].map(queueText)).toEqual(['', 'Next in the queue', 'Number 3 in the queue']);
});
