/** Runs the command line in this process, with what it writes kept apart. */
import type { ExitCode } from '../cli-error.ts';
import { runCli } from '../main.ts';

export interface Run {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export interface RunSettings {
  readonly api: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly terminal?: { readonly columns: number; readonly rows: number };
  /** Told of each text that goes to stderr. */
  readonly onProgress?: (text: string) => void;
  /** Waits that were asked for. */
  readonly waits?: number[];
}

export const run = async (args: readonly string[], settings: RunSettings): Promise<Run> => {
  let out = '';
  let err = '';
  const { terminal, onProgress, waits } = settings;
  const code = await runCli(args, {
    out: { write: (text) => (out += text) },
    progress: {
      ...(terminal === undefined ? {} : { isTTY: true, ...terminal }),
      write: (text) => {
        err += text;
        onProgress?.(text);
      },
    },
    env: { COMFY_API_URL: settings.api, ...settings.env },
    signal: settings.signal ?? new AbortController().signal,
    sleep: async (ms) => {
      waits?.push(ms);
    },
  });
  return { code, out, err };
};

/** Waits for a condition; the test's own time limit is the only clock. */
export const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) {
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
};
