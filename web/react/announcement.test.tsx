import { expect, test } from '@jest/globals';
import { useEffect, useState } from 'react';
import { mountStrictly } from '../test-support/mounted.ts';
import { until } from '../test-support/until.ts';
import { useUnhurried } from './announcement.tsx';

/** What was said, and a way to change the text that is to be said. */
const speaking = (
  everyMs: number,
): { said: string[]; rendered: string[]; leave: () => void; say: (text: string) => void } => {
  const said: string[] = [];
  const rendered: string[] = [];
  let change: ((text: string) => void) | undefined;
  const Probe = (): null => {
    const [text, setText] = useState('first');
    const heard = useUnhurried(text, everyMs);
    useEffect(() => {
      change = setText;
      rendered.push(text);
      if (said.at(-1) !== heard) said.push(heard);
    }, [text, heard]);
    return null;
  };
  const leave = mountStrictly(Probe);
  return { said, rendered, leave, say: (text) => change?.(text) };
};

test('the first change is said at once, and what follows it waits', async () => {
  const { said, rendered, leave, say } = speaking(1e9);
  await until(() => said.length === 1);
  say('second');
  await until(() => said.length === 2);
  for (const text of ['third', 'fourth']) {
    say(text);
    await until(() => rendered.at(-1) === text);
  }
  expect(said).toEqual(['first', 'second']);
  leave();
});

test('of many changes the last one is said in the end', async () => {
  const { said, leave, say } = speaking(20);
  await until(() => said.length === 1);
  for (let n = 0; n < 20; n += 1) say(`change ${n}`);
  await until(() => said.at(-1) === 'change 19');
  expect(said.length).toBeLessThan(6);
  leave();
});
