import { expect, test } from '@jest/globals';
import type { GenerationError } from '../../react/generation-view.ts';
import { createSmallerSwitch } from './smaller-switch.ts';

const outOfMemory: GenerationError = {
  message: 'CUDA out of memory',
  nodeName: null,
  nodeType: null,
  nodeId: null,
  reason: 'outOfMemory',
};
const payload = '{"5":{"class_type":"EmptyLatentImage","inputs":{"width":1024,"height":1024}}}';
const submission = { workflow_id: 'w', payload };

const storage = (kept = new Map<string, string>()) => ({
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => void kept.set(key, value),
});

test('is on until it is switched off, and then nothing is tried', () => {
  const smaller = createSmallerSwitch(() => storage());
  expect(smaller.policy(outOfMemory, 1, submission)?.change).toBe('768 × 768');
  smaller.set(false);
  expect(smaller.isOn()).toBe(false);
  expect(smaller.policy(outOfMemory, 1, submission)).toBeUndefined();
});

test('the choice is kept, and told to whoever shows it', () => {
  const own = storage();
  const smaller = createSmallerSwitch(() => own);
  const told: boolean[] = [];
  const leave = smaller.subscribe(() => told.push(smaller.isOn()));
  smaller.set(false);
  expect(createSmallerSwitch(() => own).isOn()).toBe(false);
  smaller.set(true);
  expect(createSmallerSwitch(() => own).isOn()).toBe(true);
  leave();
  smaller.set(false);
  expect(told).toEqual([false, true]);
});

test('without storage it is on, and can be switched off all the same', () => {
  const smaller = createSmallerSwitch(() => {
    throw new Error('forbidden');
  });
  expect(smaller.isOn()).toBe(true);
  smaller.set(false);
  expect(smaller.isOn()).toBe(false);
});
