/** Files of a job on their way to its worker. */
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import { PipelineError } from '../errors.ts';
import type { JobFile, RemoteFiles } from '../ports.ts';
import { dispatchPending } from './dispatch.ts';
import { sweep } from './sweep.ts';
import { filenameOf } from './upload-files.ts';

const TEXT =
  '{"1":{"class_type":"LoadImage","inputs":{"image":""}},"2":{"class_type":"K","inputs":{"seed":18446744073709551615,"mask":""}}}';
const URL_OF_CAT = 'https://example.com/pictures/a%20cat.png?size=1';

const upload = (nodeId: string, input: string): JobFile => ({
  nodeId,
  input,
  source: { kind: 'file', key: 'uploads/user-1/f1/dög.png', filename: 'dög.png' },
});
const remote = (nodeId: string, input: string, url = URL_OF_CAT): JobFile => ({
  nodeId,
  input,
  source: { kind: 'url', url },
});

const setUp = async (files: readonly JobFile[], max_retries = 3) => {
  const world = createDispatchWorld();
  await world.addWorker('w1');
  world.uploads.arrive('user-1', 'f1', 'dög.png', 'a dog');
  world.remoteFiles.putFile(URL_OF_CAT, 'a cat');
  const jobId = await world.addJob({ files, workflowText: TEXT, max_retries });
  return { world, jobId };
};

const inputsOf = (world: DispatchWorld): unknown => {
  const { prompt } = JSON.parse(world.comfyUi.posted[0]!.body) as {
    prompt: Record<string, { inputs: Record<string, unknown> }>;
  };
  return [prompt['1']?.inputs['image'], prompt['2']?.inputs['mask']];
};

test('uploads and URLs go into a folder of the job, and the prompt names them', async () => {
  const { world, jobId } = await setUp([upload('1', 'image'), remote('2', 'mask')]);
  expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
  const to = { endpoint: world.endpointOf('w1'), subfolder: jobId };
  expect(world.comfyUi.uploads).toEqual([
    { ...to, filename: 'd_g.png', content: 'a dog' },
    { ...to, filename: 'a_cat.png', content: 'a cat' },
  ]);
  expect(inputsOf(world)).toEqual([`${jobId}/d_g.png`, `${jobId}/a_cat.png`]);
  expect(world.comfyUi.posted[0]?.body).toContain('18446744073709551615');
});

test('a file that two inputs name is sent once', async () => {
  const { world, jobId } = await setUp([upload('1', 'image'), upload('2', 'mask')]);
  await dispatchPending(world.deps);
  expect(world.comfyUi.uploads).toHaveLength(1);
  expect(inputsOf(world)).toEqual([`${jobId}/d_g.png`, `${jobId}/d_g.png`]);
});

describe('a file that will never do fails the task, and is named', () => {
  const gone = (file: JobFile): JobFile => ({
    ...file,
    source: { kind: 'file', key: 'uploads/user-1/gone/x.png', filename: 'x.png' },
  });
  test.each([
    ['an upload that is gone', [gone(upload('1', 'image'))], 'the uploaded file is gone; upload it again'],
    ['a URL that is refused', [remote('1', 'image', 'https://example.com/none')], 'HTTP 404'],
    ['an input that is not there', [upload('7', 'image')], 'the workflow has no input'],
  ])('%s', async (_what, files, message) => {
    const { world, jobId } = await setUp(files);
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'failed', failure: { reason: 'badWorkflow' } });
    expect(world.job(jobId).failure?.message).toContain(message);
    expect(world.job(jobId).failure?.message).toContain(files[0]!.nodeId);
    expect(world.comfyUi.posted).toEqual([]);
    expect(world.table.allWorkers()[0]).toMatchObject({ held: [], avoidUntil: null });
  });

  test('one that ComfyUI refuses', async () => {
    const { world, jobId } = await setUp([upload('1', 'image')]);
    world.comfyUi.answerUpload({ kind: 'rejected', message: 'too large' });
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({
      status: 'failed',
      failure: { nodeId: '1', message: 'input "image" of node "1": ComfyUI: too large' },
    });
  });

  test('one that turns out too large while it is read', async () => {
    const { world, jobId } = await setUp([remote('1', 'image')]);
    const body = new Readable({
      read() {
        this.destroy(
          new PipelineError('file.refused', 'the file is larger than 5 bytes', { retryable: false }),
        );
      },
    });
    const remoteFiles: RemoteFiles = { open: async () => ({ kind: 'found', body, size: 10 }) };
    await dispatchPending({ ...world.deps, remoteFiles });
    expect(world.job(jobId).failure?.message).toContain('larger than 5 bytes');
    expect(world.job(jobId).status).toBe('failed');
  });

  test('a list of files that is gone', async () => {
    const { world, jobId } = await setUp([upload('1', 'image')]);
    world.workflows.files.clear();
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'failed', failure: { reason: 'badWorkflow' } });
  });
});

describe('what may do another time', () => {
  test('a source that does not answer spends a retry, and does not blame the worker', async () => {
    const { world, jobId } = await setUp([remote('1', 'image')]);
    world.remoteFiles.answer(URL_OF_CAT, { kind: 'unreachable', message: 'HTTP 503' });
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({
      status: 'pending',
      retryCount: 1,
      failure: { reason: 'dispatchFailed', message: 'input "image" of node "1": HTTP 503' },
    });
    expect(world.table.allWorkers()[0]).toMatchObject({ held: [], avoidUntil: null });
  });

  test('an upload that cannot be read just now spends a retry', async () => {
    const { world, jobId } = await setUp([upload('1', 'image')]);
    world.table.fail('uploads', 'open', 1);
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', retryCount: 1 });
  });

  test('a pod that does not answer costs nothing: the job goes to another', async () => {
    const { world, jobId } = await setUp([upload('1', 'image')]);
    world.comfyUi.down.add(world.endpointOf('w1'));
    await world.addWorker('w2');
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w2', retryCount: 0 });
    expect(world.comfyUi.uploads.map(({ endpoint }) => endpoint)).toEqual([world.endpointOf('w2')]);
  });
});

test('the sweep gives a job with files the time that they take', async () => {
  const { world, jobId } = await setUp([upload('1', 'image')]);
  await dispatchPending(world.deps);
  world.comfyUi.restart(world.endpointOf('w1'));
  world.clock.advance(239_999);
  await world.heartbeat();
  await sweep(world.deps);
  expect(world.job(jobId).status).toBe('assigned');
  world.clock.advance(1);
  await sweep(world.deps);
  expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'dispatchFailed' } });
});

describe('the name that ComfyUI is given', () => {
  test.each([
    ['https://example.com/a.png', 'a.png'],
    ['https://example.com/', 'file'],
    ['https://example.com/%2e%2e%2fetc%2fpasswd', 'etc_passwd'],
    ['https://example.com/a..b.png', 'a.b.png'],
    ['https://example.com/%E0%A4%A', 'E0_A4_A'],
    ['https://example.com/we%22ird%0d%0aX:%20y.png', 'we_ird_X_y.png'],
    [`https://example.com/${'x'.repeat(300)}.png`, `${'x'.repeat(80)}.png`],
  ])('of %s is %s', (url, name) => {
    expect(filenameOf(remote('1', 'image', url))).toBe(name);
  });
});
