/** Runs a simulated ComfyUI as a process of its own. */
import { fstatSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { startSimulatedComfyUi } from './simulated-comfyui.ts';

interface CliOptions {
  port: number;
  host: string;
  outputDir?: string;
  inputDir?: string;
  stepDelayMs: number;
  modelLoadDelayMs: number;
  previewIntervalMs: number;
  previews: boolean;
  comfyuiVersion: string;
  verbose?: boolean;
}

const program = new Command('demo-comfyui')
  .description('A ComfyUI without a GPU: same wire, pictures drawn by hand.')
  .option('--port <number>', 'port to listen on, 0 for a free one', wholeNumber, 8188)
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--output-dir <folder>', 'where results go; a temporary folder by default')
  .option('--input-dir <folder>', 'where uploads go; a temporary folder by default')
  .option('--step-delay-ms <milliseconds>', 'time of one sampling step', wholeNumber, 120)
  .option('--model-load-delay-ms <milliseconds>', 'time to load a checkpoint', wholeNumber, 0)
  .option('--preview-interval-ms <milliseconds>', 'least time between two previews', wholeNumber, 0)
  .option('--no-previews', 'send no previews while sampling')
  .option('--comfyui-version <version>', 'version to report', '0.3.64')
  .option('--verbose', 'log to stderr');

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number, please');
  return Number(text);
}

async function main(): Promise<void> {
  const { comfyuiVersion, verbose, ...options } = program.parse().opts<CliOptions>();
  const pod = await startSimulatedComfyUi({
    ...options,
    version: comfyuiVersion,
    ...(verbose ? { log: (event, details) => console.error(JSON.stringify({ event, ...details })) } : {}),
    onCrash: (restartAfterMs) => crash(restartAfterMs),
  });
  console.log(JSON.stringify({ ready: true, url: pod.url }));
  stopWithParent(async () => {
    await pod.close();
    process.exit(0);
  });

  /** A crash without a way back ends the process, as it would end the real one. */
  function crash(restartAfterMs: number | undefined): void {
    if (restartAfterMs === undefined) process.exit(137);
    void pod.crash().then(() => setTimeout(() => void pod.restart(), restartAfterMs));
  }
}

/** Ends on a signal, and when whoever started this process goes away: its pipe to stdin, or the IPC channel, closes. */
function stopWithParent(stop: () => Promise<void>): void {
  let stopping = false;
  const once = (): void => {
    if (stopping) return;
    stopping = true;
    void stop();
  };
  process.on('SIGTERM', once);
  process.on('SIGINT', once);
  process.once('disconnect', once);
  if (!stdinIsPipe()) return;
  process.stdin.once('end', once).once('close', once).once('error', once);
  process.stdin.resume();
}

/** A terminal or /dev/null says nothing about the parent. */
function stdinIsPipe(): boolean {
  try {
    const stats = fstatSync(0);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
