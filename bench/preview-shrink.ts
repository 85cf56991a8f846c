/** What it costs to make a preview small enough: processor time in the thread, and how long the loop was held up. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Command } from 'commander';
import { PictureShrinker } from '../monitor/adapters/picture-shrinker.ts';
import { jpegOf, pngOf, recordedPreviews } from '../monitor/test-support/pictures.ts';
import { atLeast, percentile } from './support.ts';

const program = new Command('preview-shrink')
  .description('Bytes before and after, processor time per picture, and the longest delay of the event loop.')
  .option('--times <n>', 'how often each picture is made smaller; the first two do not count', atLeast(3), 20)
  .parse();
const { times } = program.opts<{ times: number }>();

const PICTURES: readonly (readonly [string, () => Buffer])[] = [
  ['512 × 512, sent by a real ComfyUI', () => recordedPreviews('text-to-image').at(-1) ?? Buffer.alloc(0)],
  ['512 × 512, JPEG 95', () => jpegOf(512)],
  ['1024 × 1024, JPEG 95', () => jpegOf(1024)],
  ['2048 × 2048, JPEG 95', () => jpegOf(2048)],
  ['512 × 512, PNG', () => pngOf(512)],
];

const shrinker = new PictureShrinker({ timeoutMs: 60_000 });
const never = new AbortController().signal;

/** The process does nothing else meanwhile. */
const cpuOf = async (image: Buffer): Promise<{ readonly ms: number; readonly bytes: number }> => {
  const before = process.cpuUsage();
  const shrunk = await shrinker.shrink(image, never);
  const { user, system } = process.cpuUsage(before);
  if (shrunk.kind !== 'fits') throw new Error(shrunk.kind);
  return { ms: (user + system) / 1000, bytes: shrunk.image.length };
};

console.log('| picture | bytes | sent | CPU ms (median) | event loop held up, ms (p99) |');
console.log('| --- | --- | --- | --- | --- |');
for (const [name, make] of PICTURES) {
  const image = make();
  for (let n = 0; n < 2; n += 1) await cpuOf(image);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const runs: Awaited<ReturnType<typeof cpuOf>>[] = [];
  for (let n = 2; n < times; n += 1) runs.push(await cpuOf(image));
  delay.disable();
  const ms = percentile(
    runs.map((run) => run.ms),
    50,
  );
  const held = delay.percentile(99) / 1e6;
  console.log(`| ${name} | ${image.length} | ${runs[0]?.bytes} | ${ms.toFixed(0)} | ${held.toFixed(1)} |`);
}
await shrinker.close();
