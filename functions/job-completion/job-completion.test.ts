import { describe, expect, test } from '@jest/globals';
import type { PushOf } from '../../shared-types/index.ts';
import { taskEventBase } from '../core/task-event.ts';
import { makeEvent, PROMPT_ID, START, uuidOf } from '../core/test-support/fixtures.ts';
import { completedPush, taskCompletedDetail } from './completed-messages.ts';
import { createStage, image, PNG, success, type Stage } from './test-support/stage.ts';

const completedPushOf = (stage: Stage): PushOf<'job_completed'> => {
  const found = stage.pushed().findLast((message) => message.type === 'job_completed');
  if (found?.type !== 'job_completed') throw new Error('job_completed was not pushed');
  return found;
};

const filesOf = (stage: Stage): string[] => completedPushOf(stage).outputs.map(({ filename }) => filename);

const progress = {
  nodeId: '3',
  displayNodeId: '3',
  nodeName: 'K-Sampler',
  nodeType: 'KSampler',
  nodeProgress: 20,
  nodeMaxProgress: 20,
  nodePercentage: 100,
  nodeState: 'finished',
  overallPercentage: 96.5,
  completedNodes: 6,
  cachedNodes: 0,
  totalNodes: 7,
  runningNodes: [],
  message: 'Generating image using K-Sampler: 20/20 steps (100%)',
};

describe('Job Completed', () => {
  test('stores every output of the history, ends the job, tells followers and the bus', async () => {
    const stage = await createStage({ job: { progress } });
    await stage.complete();
    expect(stage.job()).toMatchObject({
      status: 'completed',
      outputCount: 3,
      storingSince: null,
      eventSequence: 7,
      durationMs: 11_000,
      startedAt: '2026-11-22T10:00:01.000Z',
      progress: { overallPercentage: 100 },
    });
    expect(stage.pushed().map(({ type }) => type)).toEqual(['job_progress', 'job_completed']);
    expect(completedPushOf(stage)).toMatchObject({ message: 'Completed: 3 outputs', missingOutputs: [] });
    expect(filesOf(stage)).toEqual(['a_00001_.png', 'b_00001_.png', 'text-0.txt']);
    expect(stage.publisher.events).toEqual([
      {
        detailType: 'Task Completed',
        detail: expect.objectContaining({
          eventId: taskEventBase(stage.job(), 'Task Completed').eventId,
          sequence: stage.job().revision,
          src: completedPushOf(stage).outputs[0]?.src,
          mimeType: 'image/png',
        }),
      },
    ]);
    expect([...stage.media.objects.keys()].every((key) => key.startsWith('user-1/session-1/'))).toBe(true);
  });

  test('keeps the attempt, and is watched by the sweep while it stores', async () => {
    const stage = await createStage();
    let dueWhileStoring: string | null = null;
    stage.faults.interleave(async (label) => {
      if (label === 'media.put') dueWhileStoring = stage.job().dueAt;
    });
    await stage.complete();
    expect(dueWhileStoring).toBe('2026-11-22T10:20:00.000Z');
    expect(stage.job()).toMatchObject({
      dueAt: null,
      attempts: [{ attempt: 1, outcome: 'completed', workerId: 'pod-1', failure: null, promptId: PROMPT_ID }],
    });
  });

  test('completes a job whose cancellation came too late', async () => {
    const stage = await createStage({
      job: { cancelRequestedAt: START, endingSince: START, endingReason: 'cancel' },
    });
    await stage.complete();
    expect(stage.job().status).toBe('completed');
  });

  test('leaves no node at work, whatever was last reported', async () => {
    const atWork = { ...progress, nodeProgress: 5, nodePercentage: 25, nodeState: 'executing' as const };
    const { nodeId, displayNodeId, nodeName, nodeType, nodeProgress, nodeMaxProgress } = atWork;
    const node = { nodeId, displayNodeId, nodeName, nodeType, nodeProgress, nodeMaxProgress };
    const running = { ...node, nodePercentage: 25, nodeState: 'executing' as const };
    const stage = await createStage({
      job: { progress: { ...atWork, completedNodes: 2, runningNodes: [running] } },
    });
    await stage.complete();
    expect(stage.job().progress).toEqual({
      ...progress,
      overallPercentage: 100,
      completedNodes: 7,
      runningNodes: [],
    });
  });

  test('pushes carry revisions without a gap', async () => {
    const stage = await createStage();
    const before = stage.job().revision;
    await stage.complete();
    expect(stage.pushed().map((message) => 'sequence' in message && message.sequence)).toEqual([
      before + 1,
      before + 2,
    ]);
  });

  test('a delivery that dies at any call is finished by the next one, once', async () => {
    const clean = await createStage();
    await clean.complete();
    const calls = clean.faults.calls.length;
    expect(calls).toBeGreaterThan(12);
    for (const time of ['before', 'after'] as const) {
      for (let call = clean.firstCall; call <= calls; call += 1) {
        const stage = await createStage();
        stage.faults.crashAt(call, time);
        await stage.complete().catch(() => undefined);
        stage.faults.recover();
        await stage.complete();
        const where = `${clean.faults.calls[call - 1]} ${time}`;
        expect({ where, ...stage.job() }).toEqual({
          where,
          ...clean.job(),
          updatedAt: stage.job().updatedAt,
          completedAt: stage.job().completedAt,
          storingSince: null,
        });
        expect(new Set(stage.publisher.events.map(({ detail }) => detail.eventId)).size).toBe(1);
        expect(completedPushOf(stage).outputs).toEqual(completedPushOf(clean).outputs);
        expect(stage.media.writes.toSorted()).toEqual(clean.media.writes.toSorted());
      }
    }
  });

  test('two deliveries at once end the job once, under one event id', async () => {
    const stage = await createStage();
    await Promise.all([stage.complete(), stage.complete()]);
    expect(stage.job()).toMatchObject({ status: 'completed', outputCount: 3, revision: 4 });
    expect(new Set(stage.publisher.events.map(({ detail }) => detail.eventId)).size).toBe(1);
    expect(stage.media.objects.size).toBe(3);
  });

  test('a repeated delivery tells the same again and stores nothing again', async () => {
    const stage = await createStage();
    await stage.complete();
    const [first] = stage.publisher.events;
    const writes = stage.media.writes.length;
    await stage.complete();
    expect(stage.publisher.events).toEqual([first, first]);
    expect(stage.media.writes).toHaveLength(writes);
    expect(stage.job().revision).toBe(4);
  });

  test.each([
    ['an older attempt', { attempt: 2 }, {}],
    ['another prompt', {}, { promptId: 'another' }],
    ['another worker', {}, { workerId: 'pod-2' }],
    ['another end that claimed the job', { eventSequence: 8, storingSince: START }, {}],
    ['a job that has been cancelled', { status: 'cancelled' }, {}],
    ['a job that ended by another event', { status: 'completed', endedByEventId: uuidOf(99) }, {}],
    ['a job that nobody knows', {}, { jobId: uuidOf(5) }],
  ] as const)('%s changes nothing', async (_name, job, detail) => {
    const stage = await createStage({ job });
    const before = stage.job();
    await stage.complete(detail);
    expect(stage.job()).toEqual(before);
    expect(stage.media.objects.size).toBe(0);
    expect(stage.publisher.events).toEqual([]);
    expect(stage.codes()).toContain('event.stale');
  });

  test('an end that a sequence ran ahead of ends the job all the same, once', async () => {
    const stage = await createStage({ job: { eventSequence: 900_000_000 } });
    await stage.complete();
    await stage.complete();
    expect(stage.job()).toMatchObject({ status: 'completed', outputCount: 3, revision: 4 });
  });

  test('a source that is not the worker of the detail is poison', async () => {
    const stage = await createStage();
    const before = stage.job();
    await stage.handle({ ...makeEvent('Job Completed'), source: 'comfyui.monitor.pod-2' });
    expect(stage.job()).toEqual(before);
    expect(stage.codes()).toEqual(['event.poison']);
  });

  test('a file that does not come fails that output after five seconds, not the job', async () => {
    const stage = await createStage();
    stage.comfyUi.deleteFile({ filename: 'b_00001_.png' });
    const began = stage.clock.now();
    await stage.complete();
    expect(filesOf(stage)).toEqual(['a_00001_.png', 'text-0.txt']);
    expect(completedPushOf(stage)).toMatchObject({
      message: 'Completed: 2 outputs, 1 could not be stored',
      missingOutputs: [{ nodeId: '9', outputKey: 'images', index: 1, filename: 'b_00001_.png' }],
    });
    expect(stage.clock.now() - began).toBeGreaterThanOrEqual(5000);
    expect(stage.clock.now() - began).toBeLessThan(10_000);
  });

  test('a file that comes late is stored', async () => {
    const stage = await createStage();
    stage.comfyUi.answerNext('fetchFile', { kind: 'missing', message: 'HTTP 404' }, 5);
    await stage.complete();
    expect(completedPushOf(stage).missingOutputs).toEqual([]);
  });

  test('a file that always breaks off fails that output, and leaves no part of it', async () => {
    const stage = await createStage();
    stage.comfyUi.putFile({ filename: 'b_00001_.png' }, PNG, { breaksAfter: 10 });
    stage.comfyUi.putFile({ filename: 'a_00001_.png' }, PNG, { length: PNG.length + 5 });
    await stage.complete();
    expect(filesOf(stage)).toEqual(['text-0.txt']);
    expect(completedPushOf(stage).missingOutputs).toHaveLength(2);
    expect(stage.media.objects.size).toBe(1);
  });

  test('a store or a worker that does not answer leaves the job to the next delivery', async () => {
    const stage = await createStage();
    stage.media.failNextPuts(100);
    await expect(stage.complete()).rejects.toMatchObject({ code: 'media.put', retryable: true });
    stage.media.failNextPuts(0);
    stage.comfyUi.setReachable(false);
    await expect(stage.complete()).rejects.toMatchObject({ code: 'worker.unreachable', retryable: true });
    expect(stage.job()).toMatchObject({ status: 'running' });
    stage.comfyUi.setReachable(true);
    await stage.complete();
    expect(stage.job()).toMatchObject({ status: 'completed', outputCount: 3 });
  });

  test('a worker that stays away ends the job with what was copied early, and says what is lost', async () => {
    const stage = await createStage();
    await stage.announce({
      images: [{ nodeId: '9', outputKey: 'images', index: 0, ...image('a_00001_.png') }],
    });
    stage.comfyUi.setReachable(false);
    const deliveries = ['first', 'second', 'third'].map(() => () => stage.complete({ outputCount: 3 }));
    for (const deliver of deliveries) await deliver().catch(() => stage.clock.advance(1000));
    expect(stage.job()).toMatchObject({ status: 'completed', outputCount: 1 });
    expect(filesOf(stage)).toEqual(['a_00001_.png']);
    expect(completedPushOf(stage).missingOutputs).toMatchObject([
      { error: expect.stringMatching(/could not be reached .*: 2 of 3 outputs are lost/) },
    ]);
  });

  test.each([
    ['that stays away', (stage: Stage) => stage.comfyUi.setReachable(false), 'workerLost'],
    ['that lost its history', (stage: Stage) => stage.comfyUi.forget(), 'vanished'],
  ])(
    'a worker %s before anything was copied costs the attempt, never the job',
    async (_name, lose, reason) => {
      const stage = await createStage();
      lose(stage);
      for (let delivery = 0; delivery < 3; delivery += 1) {
        await stage.complete({ outputCount: 3 }).catch(() => stage.clock.advance(1000));
      }
      expect(stage.job()).toMatchObject({ status: 'pending', retryCount: 1, failure: { reason } });
      expect(await stage.table.allQueue()).toHaveLength(1);
      expect(new Set(stage.publisher.events.map(({ detailType }) => detailType))).toEqual(
        new Set(['Task Retrying']),
      );
    },
  );

  test('a worker that answers again within one delivery is not given up', async () => {
    const stage = await createStage();
    stage.comfyUi.answerNext('fetchFile', { kind: 'unreachable', message: 'HTTP 502' }, 9);
    await stage.complete();
    expect(stage.job()).toMatchObject({ status: 'completed', outputCount: 3 });
  });

  test('an unregistered worker is retried', async () => {
    const stage = await createStage({ job: { workerId: 'pod-3' } });
    await expect(stage.complete({ workerId: 'pod-3' })).rejects.toMatchObject({
      code: 'worker.unknown',
      retryable: true,
    });
  });

  test('waits for a history that is written after the event', async () => {
    const stage = await createStage();
    stage.comfyUi.answerNext('history', { kind: 'absent' }, 6);
    await stage.complete();
    expect(stage.job()).toMatchObject({ status: 'completed', outputCount: 3 });
    expect(stage.clock.sleeps.slice(0, 6)).toEqual([50, 100, 200, 400, 800, 1600]);
  });

  test('a history that is gone leaves what was copied early', async () => {
    const stage = await createStage();
    await stage.announce({
      images: [{ nodeId: '9', outputKey: 'images', index: 0, ...image('a_00001_.png') }],
    });
    stage.comfyUi.forget();
    await stage.complete();
    expect(stage.job()).toMatchObject({ status: 'completed', outputCount: 1 });
    expect(stage.codes()).toContain('completion.history-gone');
  });

  test('previews are stored when asked, and inputs never', async () => {
    const outputs = {
      '9': { images: [image('t.png', 'temp'), image('i.png', 'input'), image('a_00001_.png')] },
    };
    const without = await createStage({ outputs });
    await without.complete();
    expect(filesOf(without)).toEqual(['a_00001_.png']);
    const withTemp = await createStage({ outputs, storeTempOutputs: true });
    withTemp.comfyUi.putFile({ filename: 't.png', type: 'temp' }, PNG);
    await withTemp.complete();
    expect(filesOf(withTemp)).toEqual(['t.png', 'a_00001_.png']);
  });

  test('hostile names and items end in safe keys, in missing outputs, or nowhere', async () => {
    const names = [
      '../x',
      '..\\x',
      '/etc/passwd',
      'a/../../b',
      '%2e%2e',
      'x\nSet-Cookie: a=b',
      'we"ird.png',
      'ünï 世界.png',
      '\u202egnp.exe',
      '.',
      'dot.',
      'x.png [output]',
      'n'.repeat(300),
      'a..b.png',
      '\u0000',
      '\ud800.png',
    ];
    const items = [
      ...names.map((name) => image(name)),
      'text',
      5,
      null,
      [],
      { filename: 7 },
      { filename: '' },
      {},
    ];
    const stage = await createStage({
      outputs: { ['__proto__x']: { images: items, constructor: [1], gifs: 'no list' } },
    });
    for (const name of names) stage.comfyUi.putFile({ filename: name }, PNG);
    await stage.complete();
    const { outputs, missingOutputs } = completedPushOf(stage);
    expect(outputs.length + missingOutputs.length).toBe(names.length);
    expect(missingOutputs.map(({ filename }) => filename)).toContain('a..b.png');
    for (const [key, { contentDisposition }] of stage.media.objects) {
      expect(key).toMatch(/^user-1\/session-1\/[0-9a-f-]{36}\.[a-z0-9]{1,10}$/);
      expect(contentDisposition).toMatch(
        /^(inline|attachment); filename="[\w .-]*"; filename\*=UTF-8''[\w%.~!-]*$/,
      );
    }
    expect('polluted' in {}).toBe(false);
  });

  test('a page is served as a download, whatever its name', async () => {
    const stage = await createStage({
      outputs: { '9': { images: [image('a.html'), image('b.svg'), image('c.png')] } },
    });
    const page = '<!doctype html><script>alert(1)</script>';
    stage.comfyUi.putFile({ filename: 'a.html' }, page);
    stage.comfyUi.putFile({ filename: 'b.svg' }, '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>');
    stage.comfyUi.putFile({ filename: 'c.png' }, page);
    await stage.complete();
    const dispositions = [...stage.media.objects.values()].map(
      ({ contentDisposition }) => contentDisposition,
    );
    expect(dispositions).toHaveLength(3);
    for (const disposition of dispositions) expect(disposition).toMatch(/^attachment;/);
  });

  test('a history that tells of a failure settles the job as failed', async () => {
    const error = {
      prompt_id: PROMPT_ID,
      node_id: '4',
      node_type: 'KSampler',
      exception_type: 'RuntimeError',
      exception_message: 'no',
      timestamp: 1,
    };
    const status = { ...success, messages: [['execution_error', error]] };
    const stage = await createStage({ status });
    await stage.complete();
    expect(stage.job()).toMatchObject({ status: 'failed', failure: { reason: 'nodeError', nodeId: '4' } });
    await stage.complete();
    expect(stage.job().status).toBe('failed');
    expect(new Set(stage.publisher.events.map(({ detail }) => detail.eventId)).size).toBe(1);
    expect(stage.publisher.events.map(({ detailType }) => detailType)).toEqual([
      'Task Failed',
      'Task Failed',
    ]);
  });

  test('a delivery that dies while it settles a failure is finished by the next one', async () => {
    const status = { ...success, messages: [['execution_error', { prompt_id: PROMPT_ID, timestamp: 1 }]] };
    const clean = await createStage({ status });
    await clean.complete();
    for (const time of ['before', 'after'] as const) {
      for (let call = clean.firstCall; call <= clean.faults.calls.length; call += 1) {
        const stage = await createStage({ status });
        stage.faults.crashAt(call, time);
        await stage.complete().catch(() => undefined);
        stage.faults.recover();
        await stage.complete();
        expect(stage.job()).toMatchObject({ status: 'failed', revision: clean.job().revision });
        expect(new Set(stage.publisher.events.map(({ detail }) => detail.eventId)).size).toBe(1);
      }
    }
  });

  test('an early copy that dies at any call is finished by the next delivery', async () => {
    const images = [{ nodeId: '9', outputKey: 'images', index: 0, ...image('a_00001_.png') }];
    const clean = await createStage();
    await clean.announce({ images });
    for (const time of ['before', 'after'] as const) {
      for (let call = clean.firstCall; call <= clean.faults.calls.length; call += 1) {
        const stage = await createStage();
        stage.faults.crashAt(call, time);
        await stage.announce({ images }).catch(() => undefined);
        stage.faults.recover();
        await stage.announce({ images });
        expect(stage.job().earlyOutputs).toEqual(clean.job().earlyOutputs);
        expect(stage.media.writes).toHaveLength(1);
      }
    }
  });

  test('importing the function needs no environment; running it names what is missing', async () => {
    const { handler } = await import('./handler.ts');
    expect(() => handler({})).toThrow(/MEDIA_BUCKET_NAME: is not set.*WORKER_ADDRESS_POLICY/);
  });

  test('an interrupted prompt is retried, and a repeated delivery adds no second retry', async () => {
    const status = {
      ...success,
      messages: [['execution_interrupted', { prompt_id: PROMPT_ID, timestamp: 1 }]],
    };
    const stage = await createStage({ status });
    await stage.complete();
    await stage.complete();
    expect(stage.job()).toMatchObject({ status: 'pending', retryCount: 1 });
    expect(await stage.table.allQueue()).toHaveLength(1);
  });

  test('messages about ten thousand outputs fit their frames and say that they were cut', async () => {
    const stage = await createStage();
    await stage.complete();
    const [output] = completedPushOf(stage).outputs;
    const outputs = Array.from({ length: 10_000 }, (_, index) => ({ ...output!, index }));
    const missingOutputs = [{ nodeId: '1', outputKey: 'images', index: 0, filename: 'x', error: 'gone' }];
    const push = completedPush(stage.job(), { outputs, missingOutputs });
    const detail = taskCompletedDetail(stage.job(), { outputs, missingOutputs });
    expect(Buffer.byteLength(JSON.stringify(push))).toBeLessThan(110 * 1024);
    expect(Buffer.byteLength(JSON.stringify(detail))).toBeLessThan(60 * 1024);
    expect([push.outputsTruncated, detail.outputsTruncated]).toEqual([true, true]);
    expect(detail.outputs.length).toBeGreaterThan(50);
  });
});

describe('Images Generated', () => {
  const announced = { images: [{ nodeId: '9', outputKey: 'images', index: 0, ...image('a_00001_.png') }] };

  test('copies early and shows the outputs with the progress', async () => {
    const stage = await createStage({ job: { status: 'running', progress } });
    await stage.announce(announced);
    expect(stage.job().earlyOutputs).toHaveLength(1);
    expect(stage.pushed()).toEqual([
      expect.objectContaining({
        type: 'job_progress',
        sequence: stage.job().revision,
        overallPercentage: 96.5,
        outputs: stage.job().earlyOutputs,
      }),
    ]);
  });

  test('without progress, a snapshot shows them', async () => {
    const stage = await createStage();
    await stage.announce(announced);
    expect(stage.pushed()).toMatchObject([{ type: 'job_snapshot', outputs: [{ filename: 'a_00001_.png' }] }]);
  });

  test('a second delivery changes nothing', async () => {
    const stage = await createStage();
    await stage.announce(announced);
    const before = stage.job();
    await stage.announce(announced);
    expect(stage.job()).toEqual(before);
  });

  test('what was copied early is not copied again at the end', async () => {
    const stage = await createStage();
    await stage.announce(announced);
    const [early] = stage.job().earlyOutputs;
    await stage.complete();
    expect(stage.media.writes).toHaveLength(3);
    expect(completedPushOf(stage).outputs[0]).toEqual(early);
  });

  test('a file that was overwritten since is copied again under the same URL', async () => {
    const stage = await createStage();
    await stage.announce(announced);
    const newer = Buffer.concat([PNG, Buffer.from('newer')]);
    stage.comfyUi.putFile({ filename: 'a_00001_.png' }, newer, { etag: '"newer"' });
    await stage.complete();
    const key = `user-1/session-1/${stage.job().earlyOutputs[0]?.outputId}.png`;
    expect(stage.media.objects.get(key)?.content).toEqual(newer);
    expect(stage.media.writes.filter((written) => written === key)).toHaveLength(2);
  });

  test('what was copied early outlives its file', async () => {
    const stage = await createStage();
    await stage.announce(announced);
    stage.comfyUi.deleteFile({ filename: 'a_00001_.png' });
    await stage.complete();
    expect(completedPushOf(stage)).toMatchObject({ missingOutputs: [] });
    expect(stage.job().outputCount).toBe(3);
  });

  test('a worker that does not answer costs a warning only', async () => {
    const stage = await createStage();
    stage.comfyUi.setReachable(false);
    const before = stage.job();
    await stage.announce(announced);
    expect(stage.job()).toEqual(before);
    expect(stage.codes()).toEqual(['images.not-copied-early']);
  });

  test('at most 64 outputs are kept with the job', async () => {
    const stage = await createStage();
    const images = Array.from({ length: 100 }, (_, index) => ({ ...announced.images[0]!, index }));
    await stage.announce({ images });
    await stage.announce({ images });
    expect(stage.job().earlyOutputs).toHaveLength(64);
  });

  test.each([
    ['an older attempt', { attempt: 2 }, {}],
    ['another worker', {}, { workerId: 'pod-2' }],
    ['another prompt', {}, { promptId: 'x' }],
    ['a job that has ended', { status: 'failed' }, {}],
  ] as const)('%s changes nothing and fetches nothing', async (_name, job, detail) => {
    const stage = await createStage({ job });
    const before = stage.job();
    await stage.announce({ ...announced, ...detail });
    expect(stage.job()).toEqual(before);
    expect(stage.comfyUi.calls).toEqual([]);
  });
});
