/**
 * Every id after the ids it depends on, otherwise in the order given. Dependencies that are no id are ignored.
 * On a cycle throws what `describeCycle` makes of its ids, the first one repeated at the end.
 */
export function topologicalOrder(
  dependencies: ReadonlyMap<string, Iterable<string>>,
  describeCycle: (cycle: readonly string[]) => Error,
): readonly string[] {
  const ordered = new Set<string>();
  const path: string[] = [];
  const visit = (id: string): void => {
    const needed = dependencies.get(id);
    if (!needed || ordered.has(id)) return;
    if (path.includes(id)) throw describeCycle([...path.slice(path.indexOf(id)), id]);
    path.push(id);
    for (const dependency of needed) visit(dependency);
    path.pop();
    ordered.add(id);
  };
  for (const id of dependencies.keys()) visit(id);
  return [...ordered];
}
