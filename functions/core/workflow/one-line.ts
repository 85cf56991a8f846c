/** What goes into messages for people: one line, bounded, whatever a stranger put into a workflow. */

const MAX_MESSAGE = 300;
const MAX_QUOTED = 64;

/** Line breaks that JSON leaves alone, controls, and marks that turn the reading direction. */
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** At most 300 characters, without line breaks. */
export const oneLine = (text: string): string => {
  const line = text.replaceAll(UNPRINTABLE, '�');
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE - 1)}…` : line;
};

/** In quotes, at most 64 characters of it. */
export const quoted = (text: string): string =>
  JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);

/** `"a", "b" … and 312 more`: as many as fit into `room` characters, at least one; the rest is not even shown. */
export const someOf = <Item>(items: readonly Item[], show: (item: Item) => string, room: number): string => {
  const shown: string[] = [];
  let length = 0;
  for (const item of items) {
    const text = show(item);
    length += text.length + 2;
    if (shown.length > 0 && length > room) break;
    shown.push(text);
  }
  const rest = items.length - shown.length;
  return rest === 0 ? shown.join(', ') : `${shown.join(', ')} … and ${rest} more`;
};
