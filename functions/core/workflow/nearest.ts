/** What somebody may have meant: the choices that look most like what they wrote. */

const MAX_COMPARED = 128;
/** More are not looked through: a suggestion is a courtesy, and a workflow can hold thousands of wrong values. */
const MAX_CANDIDATES = 5000;

const pairsOf = (text: string): ReadonlySet<string> => {
  const lower = text.slice(-MAX_COMPARED).toLowerCase();
  const pairs = new Set<string>();
  for (let at = 0; at < lower.length - 1; at += 1) pairs.add(lower.slice(at, at + 2));
  return pairs;
};

/** Share of letter pairs in common, 0 to 1: linear in the texts, unlike an edit distance. */
const likeness = (left: ReadonlySet<string>, right: ReadonlySet<string>): number => {
  if (left.size + right.size === 0) return 0;
  let common = 0;
  for (const pair of left) if (right.has(pair)) common += 1;
  return (2 * common) / (left.size + right.size);
};

/** All choices, those most like `text` first; those as like as each other keep their order. */
export const nearestFirst = (text: string, choices: readonly string[]): readonly string[] => {
  const wanted = pairsOf(text);
  const ranked = choices.slice(0, MAX_CANDIDATES).map((choice) => ({
    choice,
    likeness: likeness(wanted, pairsOf(choice)),
  }));
  ranked.sort((left, right) => right.likeness - left.likeness);
  return [...ranked.map(({ choice }) => choice), ...choices.slice(MAX_CANDIDATES)];
};

/** At most three choices that share at least a third of their letter pairs with `text`. */
export const similarTo = (text: string, choices: readonly string[]): readonly string[] => {
  const wanted = pairsOf(text);
  return nearestFirst(text, choices)
    .slice(0, 3)
    .filter((choice) => likeness(wanted, pairsOf(choice)) >= 1 / 3);
};
