import { describe, expect, test } from '@jest/globals';
import { createProgressView, type Output } from './progress-view.ts';

const recorder = (terminal?: { readonly columns: number; readonly rows: number }) => {
  const texts: string[] = [];
  const output: Output = {
    ...(terminal === undefined ? {} : { isTTY: true, ...terminal }),
    write: (text) => texts.push(text),
  };
  return { texts, output };
};
const line = (text: string, key = text, ended = false) => ({ render: () => text, key, ended });

/** What a person sees after all that: cursor up, clear line, clear below. */
const screenOf = (texts: readonly string[]): string[] => {
  const rows: string[] = [];
  let at = 0;
  for (const part of texts.join('').split('\u001b[').slice(1)) {
    const [, count = '', command = '', text = ''] = /^(\d*)([AKJ])([^]*)$/.exec(part) ?? [];
    if (command === 'A') at -= Number(count);
    if (command === 'K') rows[at] = '';
    if (command === 'J') rows.length = at;
    for (const one of text.split('\n').slice(0, -1)) {
      rows[at] = one;
      at += 1;
    }
    expect(at).toBeGreaterThanOrEqual(0);
  }
  return rows;
};

describe('on a terminal', () => {
  test('each job keeps its line, which is drawn again', () => {
    const { texts, output } = recorder({ columns: 80, rows: 24 });
    const view = createProgressView(output, false);
    view.show(0, line('a 1'));
    view.show(1, line('b 1'));
    view.show(0, line('a 2'));
    expect(screenOf(texts)).toEqual(['a 2', 'b 1']);
  });

  test('nothing is written when nothing has changed', () => {
    const { texts, output } = recorder({ columns: 80, rows: 24 });
    const view = createProgressView(output, false);
    view.show(0, line('a'));
    view.show(0, line('a', 'other key'));
    expect(texts).toHaveLength(1);
  });

  test('more jobs than rows: those that run are shown, and how many there are', () => {
    const { texts, output } = recorder({ columns: 80, rows: 6 });
    const view = createProgressView(output, false);
    for (let n = 0; n < 10; n += 1) view.show(n, line(`job ${n}`, `${n}`, n < 2));
    expect(screenOf(texts)).toEqual(['job 2', 'job 3', 'job 4', '… 10 in all, 2 ended']);
    for (let n = 2; n < 9; n += 1) view.show(n, line(`job ${n} done`, `${n}`, true));
    expect(screenOf(texts)).toEqual(['job 9', '… 10 in all, 9 ended']);
  });

  test('a note comes and goes below the jobs', () => {
    const { texts, output } = recorder({ columns: 80, rows: 24 });
    const view = createProgressView(output, false);
    view.show(0, line('a'));
    view.note('the connection\u001b[2J broke');
    expect(screenOf(texts)).toEqual(['a', 'the connection [2J broke']);
    view.note('');
    expect(screenOf(texts)).toEqual(['a']);
  });
});

describe('elsewhere', () => {
  test('news are lines, and nothing is drawn again', () => {
    const { texts, output } = recorder();
    const view = createProgressView(output, false);
    view.show(0, line('a 1', 'k1'));
    view.show(0, line('a 1.5', 'k1'));
    view.show(0, line('a 2', 'k2'));
    view.note('lost');
    view.note('');
    expect(texts).toEqual(['a 1\n', 'a 2\n', 'lost\n']);
  });

  test('quiet is silent', () => {
    const { texts, output } = recorder({ columns: 80, rows: 24 });
    const view = createProgressView(output, true);
    view.show(0, line('a'));
    view.note('b');
    expect(texts).toEqual([]);
  });
});
