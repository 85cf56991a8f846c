/** Shows many jobs at once: lines that are drawn again on a terminal, news one by one elsewhere. */
export interface ProgressView {
  /** The line of a job as it now is; `key` tells what is worth a line of its own where nothing is drawn again. */
  show(index: number, line: string, key: string): void;
  end(): void;
}

export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const terminalView = (output: Output, count: number): ProgressView => {
  const lines = Array.from({ length: count }, () => '');
  let drawn = false;
  return {
    show: (index, line) => {
      if (lines[index] === line) return;
      lines[index] = line;
      const up = drawn ? `\u001b[${count}A` : '';
      drawn = true;
      output.write(`${up}${lines.map((text) => `\u001b[2K${text}\n`).join('')}`);
    },
    end: () => undefined,
  };
};

const plainView = (output: Output): ProgressView => {
  const shown = new Map<number, string>();
  return {
    show: (index, line, key) => {
      if (shown.get(index) === key) return;
      shown.set(index, key);
      output.write(`${line}\n`);
    },
    end: () => undefined,
  };
};

const silentView: ProgressView = { show: () => undefined, end: () => undefined };

/** @param quiet for scripts that read JSON */
export const createProgressView = (output: Output, count: number, quiet: boolean): ProgressView => {
  if (quiet) return silentView;
  return output.isTTY === true ? terminalView(output, count) : plainView(output);
};
