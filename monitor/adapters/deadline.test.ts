import { expect, test } from '@jest/globals';
import { withDeadline } from './deadline.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const open = (): AbortSignal => new AbortController().signal;

test('what is done in time is answered', async () => {
  await expect(withDeadline(open(), 10_000, async () => 'done')).resolves.toBe('done');
});

test('what fails in time fails as it failed', async () => {
  await expect(withDeadline(open(), 10_000, () => Promise.reject(new Error('broken')))).rejects.toThrow(
    'broken',
  );
});

test('what heeds no signal is given up at the deadline, and told', async () => {
  let told: AbortSignal | undefined;
  const run = (signal: AbortSignal): Promise<never> => {
    told = signal;
    return never();
  };
  await expect(withDeadline(open(), 20, run)).rejects.toThrow('nothing within 20 ms');
  expect(told?.aborted).toBe(true);
});

test('a signal that aborts ends it at once, also when it had aborted before', async () => {
  const controller = new AbortController();
  const waiting = withDeadline(controller.signal, 10_000, never);
  controller.abort(new Error('stopping'));
  await expect(waiting).rejects.toThrow('stopping');
  await expect(withDeadline(controller.signal, 10_000, never)).rejects.toThrow('stopping');
});
