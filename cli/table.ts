/** Rows under headings, each column as wide as its widest cell. */
import { displayWidth, padTo, printable } from './printable.ts';

export const table = (headings: readonly string[], rows: readonly (readonly string[])[]): string => {
  const clean = rows.map((row) => row.map((cell) => printable(cell)));
  const widths = headings.map((heading, column) =>
    clean.reduce((widest, row) => Math.max(widest, displayWidth(row[column] ?? '')), heading.length),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => padTo(cell, widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(headings), ...clean.map(line)].map((text) => `${text}\n`).join('');
};
