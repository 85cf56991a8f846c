/** What somebody may have meant: the choices that look most like what they wrote. */

const MAX_COMPARED = 128;
/** More are not looked through: a suggestion is a courtesy, and a workflow can hold thousands of wrong values. */
const MAX_CANDIDATES = 5000;

/** Pairs of neighbouring letters as numbers: a text of its own for each would cost more than the comparison. */
const pairsOf = (text: string): readonly number[] => {
  const lower = text.slice(-MAX_COMPARED).toLowerCase();
  return Array.from({ length: Math.max(lower.length - 1, 0) }, (_, at) => {
    return lower.charCodeAt(at) * 0x10000 + lower.charCodeAt(at + 1);
  });
};

/** Share of letter pairs in common, 0 to 1: linear in the texts, unlike an edit distance. */
const likenessTo = (text: string): ((other: string) => number) => {
  const wanted = new Set(pairsOf(text));
  return (other) => {
    const pairs = pairsOf(other);
    const common = pairs.filter((pair) => wanted.has(pair)).length;
    return Math.min(common, wanted.size) / Math.max(pairs.length, wanted.size, 1);
  };
};

/** All choices, those most like `text` first; those as like as each other keep their order. */
export const nearestFirst = (text: string, choices: readonly string[]): readonly string[] => {
  const likeness = likenessTo(text);
  const ranked = choices
    .slice(0, MAX_CANDIDATES)
    .map((choice) => ({ choice, likeness: likeness(choice) }))
    .sort((left, right) => right.likeness - left.likeness);
  return [...ranked.map(({ choice }) => choice), ...choices.slice(MAX_CANDIDATES)];
};

/** At most three choices that share at least a third of their letter pairs with `text`. */
export const similarTo = (text: string, choices: readonly string[]): readonly string[] => {
  const likeness = likenessTo(text);
  return nearestFirst(text, choices)
    .slice(0, 3)
    .filter((choice) => likeness(choice) >= 1 / 3);
};
