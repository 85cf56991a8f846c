import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventPattern } from './event-pattern.ts';

/** Keeps what matches, in memory and (with a directory) in one line-per-event file that a restart reads back. */
export class Archive {
  readonly arn: string;
  readonly busName: string;
  readonly #pattern: EventPattern | undefined;
  readonly #file: string | undefined;
  readonly #events: string[];

  constructor(options: {
    arn: string;
    busName: string;
    pattern?: EventPattern | undefined;
    file?: string | undefined;
  }) {
    this.arn = options.arn;
    this.busName = options.busName;
    this.#pattern = options.pattern;
    this.#file = options.file;
    this.#events = readLines(options.file);
  }

  offer(event: unknown, eventText: string): void {
    if (this.#pattern && !this.#pattern.matches(event)) return;
    // A detail may be printed over several lines; JSON has no other use for them.
    const line = eventText.replaceAll(/[\r\n]+/g, ' ');
    this.#events.push(line);
    if (this.#file !== undefined) appendFileSync(this.#file, `${line}\n`);
  }

  /** The kept events as JSON text, oldest first. */
  events(): readonly string[] {
    return this.#events;
  }
}

/** The file of an archive; makes its directory. Undefined without a data directory. */
export function archiveFile(dataDir: string | undefined, name: string): string | undefined {
  if (dataDir === undefined) return undefined;
  mkdirSync(dataDir, { recursive: true });
  return join(dataDir, `archive-${encodeURIComponent(name)}.jsonl`);
}

function readLines(file: string | undefined): string[] {
  if (file === undefined || !existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
