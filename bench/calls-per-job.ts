/** AWS calls and function invocations per job, on the embedded AWS, one job at a time. Counts, not times. */
import { on, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { WebSocket } from 'ws';
import { buildAssembly } from '../demo/build.ts';
import { startDemo, type Demo } from '../demo/start-demo.ts';
import { textToImage } from '../test/support/workflows.ts';
import { atLeast } from './support.ts';

const program = new Command('calls-per-job')
  .description('AWS calls, their bytes and function invocations per job.')
  .option('--by-function', 'who made the calls, too')
  .option('--jobs <n>', 'jobs to run', atLeast(1), 20)
  .option('--steps <n>', 'sampling steps of each job', atLeast(1), 20)
  .option('--step-delay-ms <n>', 'time of one step', atLeast(0), 100)
  .parse();
const {
  jobs: JOBS,
  steps,
  stepDelayMs,
  byFunction,
} = program.opts<{ jobs: number; steps: number; stepDelayMs: number; byFunction?: true }>();

/** Submits and waits on the socket, as a browser does: polling would be counted with the job. */
const runOne = async (demo: Demo, socket: WebSocket, seed: number): Promise<void> => {
  const body = JSON.stringify({ workflow_id: 'bench', payload: textToImage({ seed, steps }) });
  const response = await fetch(`${demo.endpoints.apiUrl}/api/v1/tasks`, { method: 'POST', body });
  const { id } = (await response.json()) as { id: string };
  socket.send(JSON.stringify({ action: 'subscribe', jobId: id }));
  for await (const [data] of on(socket, 'message') as AsyncIterable<[Buffer]>) {
    const push = JSON.parse(data.toString()) as { type: string; jobId?: string; status?: string };
    if (push.jobId === id && (push.type === 'job_completed' || push.status === 'completed')) return;
    if (push.jobId === id && push.type === 'job_failed') throw new Error(`job ${id} failed`);
  }
};

const folder = await mkdtemp(path.join(os.tmpdir(), 'calls-per-job-'));
await buildAssembly(path.join(folder, 'cdk.out'));
const demo = await startDemo({
  assembly: path.join(folder, 'cdk.out'),
  port: 0,
  pods: 1,
  stepDelayMs,
  logDir: path.join(folder, 'logs'),
});
const socket = new WebSocket(demo.endpoints.webSocketUrl);
try {
  await once(socket, 'open');
  await runOne(demo, socket, 0);
  await demo.aws.idle();
  demo.aws.resetCalls();
  for (let seed = 1; seed <= JOBS; seed += 1) await runOne(demo, socket, seed);
  await demo.aws.idle();
  console.log(`${JOBS} jobs of ${steps} steps, ${stepDelayMs} ms each, one at a time\n`);
  console.log('| service | operation | calls per job | request bytes per job | response bytes per job |');
  console.log('| --- | --- | --- | --- | --- |');
  for (const { service, operation, count, requestBytes, responseBytes } of demo.aws.calls()) {
    const perJob = [count / JOBS, requestBytes / JOBS, responseBytes / JOBS];
    const [calls = 0, sent = 0, received = 0] = perJob;
    console.log(
      `| ${service} | ${operation} | ${calls.toFixed(2)} | ${sent.toFixed(0)} | ${received.toFixed(0)} |`,
    );
  }
  if (byFunction) {
    console.log('\n| caller | service | operation | calls per job |');
    console.log('| --- | --- | --- | --- |');
    const byCaller = demo.aws.callsByCaller().toSorted((a, b) => (a.caller < b.caller ? -1 : 1));
    for (const { caller, service, operation, count } of byCaller)
      console.log(`| ${caller} | ${service} | ${operation} | ${(count / JOBS).toFixed(2)} |`);
  }
} finally {
  socket.close();
  await demo.stop();
  await rm(folder, { recursive: true, force: true });
}
