/** What must fit into one message. */

/** A WebSocket push: API Gateway sends at most 128 KB (docs.aws.amazon.com/apigateway, WebSocket quotas). */
export const MAX_PUSH_BYTES = 110 * 1024;

/** Bytes of the value as JSON. */
export const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** As many of the items, from the first, as take at most `room` bytes as JSON. */
export const fitting = <T>(items: readonly T[], room: number): T[] => {
  const kept: T[] = [];
  let left = room;
  for (const item of items) {
    left -= bytesOf(item) + 1;
    if (left < 0) break;
    kept.push(item);
  }
  return kept;
};
