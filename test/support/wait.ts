/** Waiting for a condition, never for a time. */
export interface WaitOptions {
  readonly what: string;
  /** Milliseconds; a test that never gets there fails with `what`. */
  readonly timeoutMs?: number;
  readonly pollMs?: number;
  /** Asks less and less often, down to this: for a question that costs more than a look into a variable. */
  readonly mostPollMs?: number;
}

/** Polls until `condition` answers something truthy, and answers that. */
export const waitUntil = async <T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 20_000, pollMs = 25, mostPollMs = pollMs }: WaitOptions,
): Promise<Exclude<T, false | undefined | null>> => {
  const deadline = Date.now() + timeoutMs;
  for (let pauseMs = pollMs; ; pauseMs = Math.min(pauseMs * 1.3, mostPollMs)) {
    const value = await condition();
    if (value !== false && value !== undefined && value !== null) {
      return value as Exclude<T, false | undefined | null>;
    }
    if (Date.now() > deadline) throw new Error(`still waiting for ${what} after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
};
