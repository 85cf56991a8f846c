/** A monitor dies in the middle of a job and never comes back, while its ComfyUI goes on: the job ends well all the same. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { podControl } from './support/pods.ts';
import { waitUntil } from './support/wait.ts';
import { textToImage } from './support/workflows.ts';

/** Only waited out by a test that fails. */
const WAIT_MS = 240_000;
jest.setTimeout(360_000);

let pipeline: Pipeline;
beforeAll(async () => {
  // A sweep every two seconds, and a worker is lost after four without a word.
  pipeline = await startPipeline({
    aws: { scheduleScale: 30 },
    monitorEnv: { MONITOR_HEARTBEAT_SECONDS: '1' },
    variables: { dispatch: { WORKER_LEASE_SECONDS: '4' } },
  });
}, 90_000);
afterAll(() => pipeline.stop(), 30_000);

test('a job whose monitor died is completed from the history, on its first attempt, after one run', async () => {
  const { api, demo } = pipeline;
  const pod = podControl(demo.pods[0]!.url);
  const watcher = await pipeline.watch();
  await pod.hold(1);
  const id = await api.submit(textToImage({ seed: 1, steps: 3, size: 16 }));
  watcher.follow(id);
  await pod.untilHeld();
  await watcher.until(id, ({ type }) => type === 'job_progress' || type === 'job_started');
  await demo.monitors[0]!.kill();
  await pod.release();
  await waitUntil(async () => (await pod.runs()).length === 1, { what: 'the end of the run' });

  const task = await api.finished(id, WAIT_MS);
  expect(task).toMatchObject({ status: 'completed', retry_count: 0, error: '' });
  expect(await pod.runs()).toMatchObject([{ jobId: id, attempt: 1, end: 'execution_success' }]);
  expect((await pod.queue()).pending).toEqual([]);
  await watcher.until(id, ({ type }) => type === 'job_completed');
  // A delivery that is repeated tells of the same end again, under the number that it had.
  const ends = watcher.of(id).filter(({ type }) => type === 'job_completed');
  expect(new Set(ends.map(({ sequence }) => sequence)).size).toBe(1);
  const [end] = ends;
  const outputs = end?.type === 'job_completed' ? end.outputs : [];
  expect(outputs).toHaveLength(1);
  const picture = await fetch(outputs[0]!.src);
  expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/png']);
  const holdsNothing = async (): Promise<boolean> => {
    const response = await fetch(`${demo.endpoints.apiUrl}/api/v1/workers`);
    const { workers } = (await response.json()) as { workers: { current_task_id: string }[] };
    return workers.length === 1 && workers[0]?.current_task_id === '';
  };
  await waitUntil(holdsNothing, { what: 'a worker that holds nothing' });
});
