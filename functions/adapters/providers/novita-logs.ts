/** The log of an instance of Novita, which is at an address of its own. */

const MAX_LINES = 1000;
const MAX_LINE_BYTES = 4096;

/**
 * `connectComponentLog.instanceLogAddress` of https://novita.ai/docs/api-reference/gpu-instance-get-instance, which is
 * a stream, asked to end. Undefined when there is none yet, and for one that is less safe than the API itself.
 */
export const logUrl = (
  address: string | null | undefined,
  lines: number,
  baseUrl: string,
): string | undefined => {
  if (address === null || address === undefined || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.protocol !== 'https:' && url.protocol !== new URL(baseUrl).protocol) return undefined;
  url.searchParams.set('follow', '0');
  url.searchParams.set('sse', '0');
  url.searchParams.set('tail', String(countOf(lines)));
  return url.href;
};

const countOf = (lines: number): number =>
  Number.isFinite(lines) ? Math.min(Math.max(Math.trunc(lines), 0), MAX_LINES) : MAX_LINES;

/** Cut at a character's edge. */
const cut = (line: string): string => {
  const bytes = Buffer.from(line);
  if (bytes.length <= MAX_LINE_BYTES) return line;
  return new TextDecoder().decode(bytes.subarray(0, MAX_LINE_BYTES), { stream: true });
};

/** The last of them, newest last, each at most 4 KB. */
export const linesOf = (text: string, lines: number): readonly string[] => {
  const all = text.split(/\r?\n/);
  if (all.at(-1) === '') all.pop();
  const count = countOf(lines);
  return count === 0 ? [] : all.slice(-count).map(cut);
};
