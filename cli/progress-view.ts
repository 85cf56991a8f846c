/** Shows many jobs at once: lines that are drawn again on a terminal, news one by one elsewhere. */
import { cutTo, printable } from './printable.ts';

export interface Shown {
  /** The line as it now is, for a terminal of that many columns. */
  readonly render: (columns: number) => string;
  /** What is worth a line of its own where nothing is drawn again. */
  readonly key: string;
  readonly ended: boolean;
}

export interface ProgressView {
  show(index: number, shown: Shown): void;
  /** One line about all of them, such as a lost connection; empty takes it away. */
  note(text: string): void;
}

export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

const COLUMNS = 100;
const ROWS = 24;

/** All that fit; else those that have not ended, and one line about the rest. */
const linesOf = (shown: ReadonlyMap<number, Shown>, note: string, output: Output): string[] => {
  const columns = output.columns || COLUMNS;
  const room = Math.max(1, (output.rows || ROWS) - 2 - (note === '' ? 0 : 1));
  const all = [...shown].sort(([a], [b]) => a - b).map(([, one]) => one);
  const open = all.filter(({ ended }) => !ended);
  const picked = all.length <= room ? all : open.slice(0, Math.max(1, room - 1));
  const lines = picked.map(({ render }) => render(columns));
  if (picked.length < all.length)
    lines.push(cutTo(`… ${all.length} in all, ${all.length - open.length} ended`, columns - 1));
  if (note !== '') lines.push(cutTo(note, columns - 1));
  return lines;
};

const terminalView = (output: Output): ProgressView => {
  const shown = new Map<number, Shown>();
  let note = '';
  let drawn: readonly string[] = [];
  const draw = (): void => {
    const lines = linesOf(shown, note, output);
    if (lines.length === drawn.length && lines.every((line, at) => line === drawn[at])) return;
    // A cursor cannot go above the first row of the screen: linesOf keeps what is drawn below that.
    const up = drawn.length === 0 ? '' : `\u001b[${drawn.length}A`;
    drawn = lines;
    output.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[J`);
  };
  return {
    show: (index, one) => {
      shown.set(index, one);
      draw();
    },
    note: (text) => {
      note = printable(text);
      draw();
    },
  };
};

const plainView = (output: Output): ProgressView => {
  const keys = new Map<number, string>();
  return {
    show: (index, { key, render }) => {
      if (keys.get(index) === key) return;
      keys.set(index, key);
      output.write(`${render(COLUMNS)}\n`);
    },
    note: (text) => {
      if (text !== '') output.write(`${printable(text)}\n`);
    },
  };
};

const silentView: ProgressView = { show: () => undefined, note: () => undefined };

/** @param quiet for scripts that read JSON */
export const createProgressView = (output: Output, quiet: boolean): ProgressView => {
  if (quiet) return silentView;
  return output.isTTY === true ? terminalView(output) : plainView(output);
};
