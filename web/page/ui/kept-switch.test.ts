import { expect, test } from '@jest/globals';
import { createKeptSwitch } from './kept-switch.ts';

const storage = (kept = new Map<string, string>()) => ({
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => void kept.set(key, value),
});
const onWith = (own: ReturnType<typeof storage>) =>
  createKeptSwitch({ storage: () => own, key: 'one', initially: true });

test.each([true, false])('is %s until a person chooses', (initially) => {
  const own = storage(new Map([['other', initially ? 'off' : 'on']]));
  expect(createKeptSwitch({ storage: () => own, key: 'one', initially }).isOn()).toBe(initially);
});

test('the choice is kept, and told to whoever shows it', () => {
  const own = storage();
  const first = onWith(own);
  const told: boolean[] = [];
  const leave = first.subscribe(() => told.push(first.isOn()));
  first.set(false);
  expect(onWith(own).isOn()).toBe(false);
  first.set(true);
  expect(onWith(own).isOn()).toBe(true);
  leave();
  first.set(false);
  expect(told).toEqual([false, true]);
});

test('what is kept may be anything', () => {
  expect(onWith(storage(new Map([['one', '{"on":false}']]))).isOn()).toBe(true);
});

test('without storage it can be switched all the same', () => {
  const forbidden = (): never => {
    throw new Error('forbidden');
  };
  const one = createKeptSwitch({ storage: forbidden, key: 'one', initially: true });
  expect(one.isOn()).toBe(true);
  one.set(false);
  expect(one.isOn()).toBe(false);
});
