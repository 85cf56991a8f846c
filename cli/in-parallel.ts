/** Does something for each item, in order, at most `limit` at once. Rejects with the first error. */
export const inParallel = async <T, R>(
  items: readonly T[],
  limit: number,
  act: (item: T, index: number) => Promise<R>,
): Promise<R[]> => {
  const results: R[] = [];
  const entries = items.entries();
  const work = async (): Promise<void> => {
    // One iterator for all of them: each item is taken once.
    for (const [index, item] of entries) results[index] = await act(item, index);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  return results;
};
