/** From POST /tasks to the start in ComfyUI on an idle pod, and what it costs in AWS calls. One job at a time. */
import path from 'node:path';
import { Command } from 'commander';
import type { Demo } from '../demo/start-demo.ts';
import { apiCaller } from '../test/support/api.ts';
import { podControl } from '../test/support/pods.ts';
import { textToImage } from '../test/support/workflows.ts';
import { atLeast, percentile, withAssembly, withDemo } from './support.ts';

const { jobs: JOBS } = new Command('dispatch-latency')
  .description("Milliseconds from the submission to ComfyUI's start of the prompt, and AWS calls per job.")
  .option('--jobs <n>', 'jobs to run', atLeast(1), 50)
  .parse()
  .opts<{ jobs: number }>();

/** Answers the milliseconds until ComfyUI started it, by ComfyUI's own record; both clocks are this machine's. */
const runOne = async (demo: Demo, seed: number): Promise<number> => {
  const pod = podControl(demo.pods[0]?.url ?? '');
  const submittedAt = Date.now();
  const id = await apiCaller(demo.endpoints.apiUrl).submit({ payload: textToImage({ seed, steps: 1 }) });
  for (;;) {
    await demo.aws.idle();
    const run = (await pod.runs()).find(({ jobId }) => jobId === id);
    if (run !== undefined) return run.from - submittedAt;
  }
};

await withAssembly(async (assembly, folder) => {
  await withDemo({ assembly, stepDelayMs: 0, logDir: path.join(folder, 'logs') }, async (demo) => {
    // The first jobs load the functions.
    for (let seed = 0; seed < 3; seed += 1) await runOne(demo, seed);
    demo.aws.resetCalls();
    const latencies: number[] = [];
    for (let seed = 3; seed < JOBS + 3; seed += 1) latencies.push(await runOne(demo, seed));
    console.log(`${JOBS} jobs, one at a time\n`);
    console.log('| median | p95 | greatest |');
    console.log('| --- | --- | --- |');
    console.log(`| ${[50, 95, 100].map((each) => `${percentile(latencies, each)} ms`).join(' | ')} |\n`);
    console.log('| service | operation | calls per job |');
    console.log('| --- | --- | --- |');
    for (const { service, operation, count } of demo.aws.calls()) {
      console.log(`| ${service} | ${operation} | ${(count / JOBS).toFixed(2)} |`);
    }
  });
});
