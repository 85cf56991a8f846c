/** Keeping each event under EventBridge's 64 KB billing unit. Sizes are UTF-8 bytes of the JSON text. */
import { MAX_EVENT_BYTES } from '../../shared-types/index.ts';

/** What `detail` may weigh: the rest of the 64 KB is for source, detail-type, time and the common keys. */
export const DETAIL_BUDGET_BYTES = MAX_EVENT_BYTES - 4096;

const encoder = new TextEncoder();

export const jsonBytes = (value: unknown): number => encoder.encode(JSON.stringify(value)).length;

/** Splits a list so that each part's JSON stays within `budget`; one oversized item still gets a part of its own. */
export const chunksBySize = <T>(items: readonly T[], budget = DETAIL_BUDGET_BYTES): T[][] => {
  const chunks: T[][] = [];
  let size = 0;
  for (const item of items) {
    const bytes = jsonBytes(item) + 1;
    const last = chunks.at(-1);
    if (last === undefined || size + bytes > budget) {
      chunks.push([item]);
      size = bytes;
    } else {
      last.push(item);
      size += bytes;
    }
  }
  return chunks;
};

/** The longest head of `items` whose JSON stays within `budget`. */
export const headWithin = <T>(items: readonly T[], budget: number): readonly T[] => {
  let size = 0;
  const end = items.findIndex((item) => (size += jsonBytes(item) + 1) > budget);
  return end === -1 ? items : items.slice(0, end);
};

/** The longest tail of `items` whose JSON stays within `budget`: the end of a traceback names the fault. */
export const tailWithin = <T>(items: readonly T[], budget: number): readonly T[] =>
  [...headWithin([...items].reverse(), budget)].reverse();
