import { EventPatternError } from './event-pattern-error.ts';

/**
 * `*` stands for any characters, `\*` for an asterisk, `\\` for a backslash. The answer takes time linear in
 * the text: no regular expression, so no pattern can make it backtrack.
 */
export function parseWildcard(pattern: string, path: string): (text: string) => boolean {
  const literals = splitLiterals(pattern, path);
  const first = literals[0] ?? '';
  if (literals.length === 1) return (text) => text === first;
  const last = literals.at(-1) ?? '';
  const middle = literals.slice(1, -1);
  return (text) => {
    if (text.length < first.length + last.length) return false;
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    return inOrder(text.slice(first.length, text.length - last.length), middle);
  };
}

function inOrder(text: string, literals: readonly string[]): boolean {
  let from = 0;
  for (const literal of literals) {
    const at = text.indexOf(literal, from);
    if (at < 0) return false;
    from = at + literal.length;
  }
  return true;
}

function splitLiterals(pattern: string, path: string): string[] {
  const literals = [''];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if (character === '*') {
      if (pattern[at + 1] === '*')
        throw new EventPatternError(`Consecutive wildcard characters at pos ${at}`, path);
      literals.push('');
      continue;
    }
    literals[literals.length - 1] += character === '\\' ? escaped(pattern, at, path) : character;
    if (character === '\\') at++;
  }
  return literals;
}

function escaped(pattern: string, at: number, path: string): string {
  const next = pattern[at + 1];
  if (next === '*' || next === '\\') return next;
  throw new EventPatternError(`Invalid escape character at pos ${at}`, path);
}
