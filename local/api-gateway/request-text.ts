export interface NamedValues {
  /** As the client wrote it. */
  readonly name: string;
  readonly values: readonly string[];
}

/** Node's flat `[name, value, name, value]` list as one entry per header, duplicates kept. */
export function headersByName(rawHeaders: readonly string[]): ReadonlyMap<string, NamedValues> {
  const found = new Map<string, { name: string; values: string[] }>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const entry = found.get(name.toLowerCase());
    if (entry) entry.values.push(value);
    else found.set(name.toLowerCase(), { name, values: [value] });
  }
  return found;
}

/** Splits `/path?query` without resolving dots: a URL parser would hide `/a/../b` from the route table. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const withoutFragment = target.split('#', 1)[0] ?? '';
  const mark = withoutFragment.indexOf('?');
  const path = mark === -1 ? withoutFragment : withoutFragment.slice(0, mark);
  return { path, query: mark === -1 ? '' : withoutFragment.slice(mark + 1) };
}

/** Percent-decodes a path; `undefined` when an escape is broken or not UTF-8. */
export function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** Query parameters in the order sent, every value kept. Broken escapes become U+FFFD instead of an error. */
export function queryValues(query: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(query)) {
    const values = found.get(key);
    if (values) values.push(value);
    else found.set(key, [value]);
  }
  return found;
}

/** Joined with commas; an own-property object even for a key such as `__proto__`. `undefined` when empty. */
export function joined(values: ReadonlyMap<string, readonly string[]>): Record<string, string> | undefined {
  if (values.size === 0) return undefined;
  return Object.fromEntries([...values].map(([key, list]) => [key, list.join(',')] as const));
}
