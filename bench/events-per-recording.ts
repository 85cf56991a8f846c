/** What each recording costs on the bus, against the frames that ComfyUI sent. Counts: the same on every machine. */
import { readFileSync, readdirSync } from 'node:fs';
import { Command } from 'commander';

interface PublishedEvent {
  readonly detailType: string;
  readonly detail: { readonly jobId: string | null };
}

new Command('events-per-recording')
  .description('Events and bytes on the bus per recording, against the text frames that ComfyUI sent.')
  .parse();

const read = (relative: string): string => readFileSync(new URL(relative, import.meta.url), 'utf8');
const recordings = '../test/fixtures/comfyui-recordings/';
const goldens = '../monitor/core/goldens/';

const framesOf = (name: string): { count: number; bytes: number } => {
  const lines = read(`${recordings}${name}.jsonl`).split('\n').filter(Boolean);
  const texts = lines.flatMap((line) => {
    const { text, raw } = JSON.parse(line) as { text?: unknown; raw?: string };
    return text === undefined ? (raw === undefined ? [] : [raw]) : [JSON.stringify(text)];
  });
  return { count: texts.length, bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) };
};

const rowOf = (name: string): string => {
  const events = (JSON.parse(read(`${goldens}${name}.json`)) as PublishedEvent[]).filter(
    ({ detail }) => detail.jobId !== null,
  );
  const jobs = new Set(events.map(({ detail }) => detail.jobId)).size;
  const bytes = events.reduce((sum, { detail }) => sum + Buffer.byteLength(JSON.stringify(detail)), 0);
  const frames = framesOf(name);
  return `| ${name} | ${jobs} | ${frames.count} | ${frames.bytes} | ${events.length} | ${bytes} |`;
};

const names = readdirSync(new URL(goldens, import.meta.url)).map((file) => file.replace(/\.json$/, ''));
console.log('| recording | jobs | frames | frame bytes | job events | event bytes |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const name of names.sort()) console.log(rowOf(name));
