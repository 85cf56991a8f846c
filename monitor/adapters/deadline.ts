/** A deadline that holds. */

/**
 * Runs `run` under `signal` and a deadline of `ms`, and rejects at the latest then, whether or not what runs heeds its
 * signal. `AbortSignal.any` over `AbortSignal.timeout` will not do: on Node 20 the timeout can be garbage-collected
 * before it fires, and `fetch` may lose its signal once the headers are there.
 */
export const withDeadline = async <T>(
  signal: AbortSignal,
  ms: number,
  run: (limited: AbortSignal) => Promise<T>,
): Promise<T> => {
  const controller = new AbortController();
  const abort = (): void =>
    controller.abort(signal.aborted ? signal.reason : new Error(`nothing within ${ms} ms`));
  const timer = setTimeout(abort, ms);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const cut = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(controller.signal.reason as Error);
    if (controller.signal.aborted) fail();
    else controller.signal.addEventListener('abort', fail, { once: true });
  });
  try {
    return await Promise.race([run(controller.signal), cut]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
};
