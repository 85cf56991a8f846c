/** Accessibility rules, checked in the page itself: https://github.com/dequelabs/axe-core/blob/develop/doc/API.md */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Found {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

const EVERY_RULE = {
  type: 'tag',
  values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
};
/** All of them that look at colours. */
const COLOUR_RULES = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };

/**
 * Every rule of WCAG 2.2 AA, and what axe calls best practice; of the same page in other colours, the rules about colours
 * say all that is new. One line for each element that breaks one.
 */
export const violationsOn = async (page: Page, rules: 'every' | 'colours' = 'every'): Promise<string[]> => {
  // Not as a script element, which a policy of the page would rightly refuse.
  if (!(await page.evaluate<boolean>(`'axe' in window`))) await page.evaluate(source);
  const runOnly = rules === 'every' ? EVERY_RULE : COLOUR_RULES;
  const options = { runOnly, resultTypes: ['violations'] };
  const violations = await page.evaluate<readonly Found[]>(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) =>
      violations.map(({ id, nodes }) => ({
        id, nodes: nodes.map(({ target, failureSummary }) => ({ target, failureSummary })),
      })))`,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary = '' }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
  );
};
