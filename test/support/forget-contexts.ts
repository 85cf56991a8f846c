/**
 * Runs before each test file. jest-circus makes an AsyncLocalStorage for every file and never turns it off; up to Node 23
 * each promise that is made is told to all of them, so the hundredth file of a worker would run at half its speed.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** The files of a worker have nothing in common but the modules of Node itself: it is kept on one of those. */
const USED = Symbol.for('storages that test files used');
const shared = AsyncLocalStorage as typeof AsyncLocalStorage & { [USED]?: Set<AsyncLocalStorage<unknown>> };

const watchUse = (): Set<AsyncLocalStorage<unknown>> => {
  const used = new Set<AsyncLocalStorage<unknown>>();
  const { prototype } = AsyncLocalStorage;
  // Only called by `apply`, with the storage that it was asked of.
  // oxlint-disable-next-line typescript/unbound-method
  const { run } = prototype;
  prototype.run = function runAndRemember(
    this: AsyncLocalStorage<unknown>,
    ...parameters: unknown[]
  ): unknown {
    used.add(this);
    return Reflect.apply(run, this, parameters);
  } as typeof run;
  return used;
};

// One that is still needed turns itself on again.
for (const storage of shared[USED] ?? []) storage.disable();
shared[USED]?.clear();
shared[USED] ??= watchUse();
