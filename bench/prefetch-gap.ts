/** How long ComfyUI stands idle between two jobs that wait, without and with a prompt in its queue. */
import path from 'node:path';
import { Command } from 'commander';
import type { Demo } from '../demo/start-demo.ts';
import { apiCaller } from '../test/support/api.ts';
import { editedAssembly } from '../test/support/edited-assembly.ts';
import { podControl, type Run } from '../test/support/pods.ts';
import { textToImage } from '../test/support/workflows.ts';
import { atLeast, percentile, withAssembly, withDemo } from './support.ts';

const {
  jobs: JOBS,
  steps,
  stepDelayMs,
} = new Command('prefetch-gap')
  .description(
    "Idle milliseconds of one pod between two jobs, with PREFETCH_DEPTH 0 and 1, by the pod's own record.",
  )
  .option('--jobs <n>', 'jobs that wait', atLeast(2), 30)
  .option('--steps <n>', 'sampling steps of each job', atLeast(1), 10)
  .option('--step-delay-ms <n>', 'time of one step', atLeast(0), 100)
  .parse()
  .opts<{ jobs: number; steps: number; stepDelayMs: number }>();

const runAll = async (demo: Demo): Promise<readonly Run[]> => {
  const pod = podControl(demo.pods[0]?.url ?? '');
  const api = apiCaller(demo.endpoints.apiUrl);
  await pod.hold(0);
  for (let seed = 0; seed < JOBS; seed += 1) await api.submit({ payload: textToImage({ seed, steps }) });
  await demo.aws.idle();
  await pod.release();
  for (;;) {
    const runs = await pod.runs();
    if (runs.length === JOBS) return runs;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
};

const gapsOf = (runs: readonly Run[]): number[] =>
  runs.slice(1).map(({ from }, index) => from - (runs[index]?.to ?? from));

await withAssembly(async (assembly, folder) => {
  console.log(`${JOBS} jobs of ${steps} steps, ${stepDelayMs} ms each, on one pod\n`);
  console.log('| PREFETCH_DEPTH | median gap | p95 | busy |');
  console.log('| --- | --- | --- | --- |');
  for (const depth of [0, 1]) {
    const edited = await editedAssembly(assembly, path.join(folder, `depth-${depth}`), {
      dispatch: { PREFETCH_DEPTH: String(depth) },
    });
    const runs = await withDemo(
      { assembly: edited, stepDelayMs, logDir: path.join(folder, `logs-${depth}`) },
      runAll,
    );
    const gaps = gapsOf(runs);
    const whole = (runs.at(-1)?.to ?? 0) - (runs[0]?.from ?? 0);
    const busy = 100 - (100 * gaps.reduce((sum, gap) => sum + gap, 0)) / whole;
    console.log(
      `| ${depth} | ${percentile(gaps, 50)} ms | ${percentile(gaps, 95)} ms | ${busy.toFixed(1)} % |`,
    );
  }
});
