import type { Log } from '../contract.ts';

/** Lines kept per function. */
const keptLines = 1000;

/** What one function printed: handed to the log line by line, the newest lines kept for reading back. */
export class FunctionOutput {
  readonly #functionName: string;
  readonly #log: Log;
  #lines: string[] = [];

  constructor(functionName: string, log: Log) {
    this.#functionName = functionName;
    this.#log = log;
  }

  write(text: string): void {
    for (const line of text.split('\n')) if (line !== '') this.#add(line);
  }

  lines(): readonly string[] {
    return [...this.#lines];
  }

  /** The last 4 KB, as `X-Amz-Log-Result` carries them. */
  tail(): string {
    return Buffer.from(this.#lines.slice(-100).join('\n')).subarray(-4096).toString('base64');
  }

  #add(line: string): void {
    this.#log('function.output', { function: this.#functionName, line });
    this.#lines.push(line);
    if (this.#lines.length > keptLines * 2) this.#lines = this.#lines.slice(-keptLines);
  }
}
