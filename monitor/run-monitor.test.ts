import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { eventCatalogue, isDetailType, readComfyUiJson } from '../shared-types/index.ts';
import type { AcceptedEvent } from '../test/fakes/put-events.ts';
import { reduce } from './core/reduce.ts';
import { MonitorError } from './monitor-error.ts';
import type { MonitorDependencies } from './run-monitor.ts';
import { openBench, until, WORKER_ID, type Bench } from './test-support/monitor-bench.ts';

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const TERMINAL = new Set(['Job Completed', 'Job Failed', 'Job Cancelled']);
const job = (jobId: string) => ({ jobId, attempt: 2, userId: 'u', sessionId: 's' });
const sequences = (events: readonly AcceptedEvent[]): number[] =>
  events.map((e) => Number(e.detail['sequence']));
const types = (events: readonly AcceptedEvent[]): string[] => events.map((e) => e.detailType);
const ended = (b: Bench, jobId: string) => () => b.eventsOf(jobId).some((e) => TERMINAL.has(e.detailType));

const expectSound = (events: readonly AcceptedEvent[]): void => {
  const numbers = sequences(events);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(events.filter((e) => TERMINAL.has(e.detailType))).toHaveLength(1);
  expect(TERMINAL.has(events.at(-1)?.detailType ?? '')).toBe(true);
  const shares = events.flatMap((e) => e.detail['overallPercentage'] ?? []).map(Number);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  for (const { detailType, detail, source } of events) {
    expect(source).toBe(`comfyui.monitor.${WORKER_ID}`);
    if (!isDetailType(detailType)) throw new Error(detailType);
    expect(eventCatalogue[detailType].schema.safeParse(detail).error).toBeUndefined();
  }
};

describe('a monitor beside a ComfyUI', () => {
  test('reports a job from start to verified end under the ids of its extra_data', async () => {
    bench = await openBench('model-free-fast');
    await bench.start();
    await bench.submit(job('job-1'));
    await until('the job ended', ended(bench, 'job-1'));
    const events = bench.eventsOf('job-1');
    expectSound(events);
    expect(events.at(-1)).toMatchObject({
      detailType: 'Job Completed',
      busName: 'test-comfyui-events',
      detail: { attempt: 2, verified: true, outputCount: 1, totalNodes: 3, clientId: `monitor-${WORKER_ID}` },
    });
    expect(bench.comfy.received).toEqual([
      '{"type":"feature_flags","data":{"supports_preview_metadata":true}}',
    ]);
  });

  test('goes on after the socket broke in mid-run, on one socket, and announces itself again', async () => {
    bench = await openBench('text-to-image', { pauseBefore: (t) => t.includes('"value":4,"max":8') });
    await bench.start();
    await bench.submit(job('job-2'));
    await until('the sampler is half done', () => bench!.comfy.isPaused());
    bench.comfy.dropSockets();
    await until(
      'it is back',
      () => bench!.bus.accepted.filter((e) => e.detailType === 'Monitor Initialized').length === 2,
    );
    expect(bench.comfy.connections()).toBe(1);
    bench.comfy.resume();
    await until('the job ended', ended(bench, 'job-2'));
    expectSound(bench.eventsOf('job-2'));
    expect(bench.eventsOf('job-2').at(-1)?.detailType).toBe('Job Completed');
  });

  test('learns the outcome from REST alone when no frame of the job ever arrives', async () => {
    bench = await openBench('execution-error', { sends: () => false });
    await bench.start();
    await bench.submit(job('job-3'));
    await until('the job ended', ended(bench, 'job-3'));
    expectSound(bench.eventsOf('job-3'));
    expect(bench.eventsOf('job-3').at(-1)?.detail).toMatchObject({
      reason: 'nodeError',
      nodeType: 'LoadImage',
    });
  });

  test('survives frames that are no frames, and still hears the good ones', async () => {
    bench = await openBench('model-free-fast');
    const monitor = await bench.start();
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const bad = [
      '',
      'null',
      '[]',
      '"x"',
      '1',
      '{"type":',
      'NaN',
      '{"type":"executing"}',
      deep,
      '{"type":"x","data":[]}',
    ];
    for (const text of bad) bench.comfy.broadcast(text);
    const progress = { prompt_id: '__proto__', nodes: { constructor: { state: 'running' } } };
    bench.comfy.broadcast(JSON.stringify({ type: 'progress_state', data: progress }));
    for (let length = 0; length < 8; length += 1) bench.comfy.broadcast(Buffer.alloc(length, 0xff));
    bench.comfy.broadcast(Buffer.from([0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]));
    await bench.submit(job('job-4'));
    await until('the job ended', ended(bench, 'job-4'));
    expectSound(bench.eventsOf('job-4'));
    expect(monitor.metrics.value('frames_invalid_total')).toBeGreaterThanOrEqual(8);
    expect(monitor.metrics.value('notices_total', 'invalidBinaryFrames')).toBeGreaterThanOrEqual(5);
  });

  test.each<[string, Partial<MonitorDependencies>, string]>([
    [
      'reader',
      {
        readJson: (text) => {
          if (text.includes('execution_start')) throw new RangeError(`cannot read ${text}`);
          return readComfyUiJson(text);
        },
      },
      'text',
    ],
    [
      'reducer',
      {
        reduce: (state, input, now, newId) => {
          if (input.kind === 'frame' && input.frame.type === 'execution_start') {
            throw new RangeError(`cannot reduce ${JSON.stringify(input)}`);
          }
          return reduce(state, input, now, newId);
        },
      },
      'execution_start',
    ],
    [
      'reducer of binary frames',
      {
        reduce: (state, input, now, newId) => {
          if (input.kind === 'binary') throw new RangeError('cannot reduce');
          return reduce(state, input, now, newId);
        },
      },
      'binary',
    ],
  ])('counts a frame that its %s fails on, says so once, and goes on', async (_name, more, type) => {
    bench = await openBench('model-free-fast');
    const warnings: object[] = [];
    const note = (fields: object): void => void warnings.push(fields);
    const log = { info: () => undefined, warn: note, error: note };
    const monitor = await bench.start(true, { ...more, log });
    for (let twice = 0; twice < 2; twice += 1) {
      bench.comfy.broadcast('{"type":"execution_start","data":{"prompt_id":"secret","timestamp":1}}');
      bench.comfy.broadcast(Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 7]));
    }
    await bench.submit(job('job-bad'));
    await until('the job ended', ended(bench, 'job-bad'));
    expectSound(bench.eventsOf('job-bad'));
    expect(types(bench.eventsOf('job-bad'))).toContain('Node Executed');
    expect(monitor.metrics.value('frames_quarantined_total', type)).toBeGreaterThanOrEqual(2);
    expect(monitor.metrics.value('socket_connects_total')).toBe(1);
    expect(warnings).toEqual([{ code: 'monitor.frameQuarantined', type, error: 'RangeError' }]);
  });

  test('counts a REST answer that its reducer fails on, and asks again', async () => {
    bench = await openBench('model-free-fast');
    let failures = 0;
    const monitor = await bench.start(true, {
      reduce: (state, input, now, newId) => {
        if (input.kind === 'poll' && input.result.kind === 'history' && failures < 2) {
          failures += 1;
          throw new RangeError('cannot reduce');
        }
        return reduce(state, input, now, newId);
      },
    });
    await bench.submit(job('job-answer'));
    await until('the job ended', ended(bench, 'job-answer'));
    expectSound(bench.eventsOf('job-answer'));
    expect(failures).toBe(2);
    expect(monitor.metrics.value('frames_quarantined_total', 'answer:history')).toBe(2);
  });

  test('outlives a moment that its reducer fails on, and says meanwhile that it is not well', async () => {
    bench = await openBench('model-free-fast');
    let broken = false;
    const warnings: object[] = [];
    const note = (fields: object): void => void warnings.push(fields);
    const monitor = await bench.start(true, {
      log: { info: () => undefined, warn: note, error: note },
      reduce: (state, input, now, newId) => {
        if (broken && input.kind === 'tick') throw new RangeError('cannot tell the time');
        return reduce(state, input, now, newId);
      },
    });
    const health = async (): Promise<number> =>
      (await fetch(`http://127.0.0.1:${monitor.healthPort}/healthz`)).status;
    const answers = async (status: number): Promise<void> => {
      while ((await health()) !== status) await setTimeout(20);
    };
    await answers(200);
    broken = true;
    await bench.submit(job('job-moment'));
    await answers(503);
    const failures = (): number => monitor.metrics.value('frames_quarantined_total', 'tick');
    await until('it has tried again', () => failures() >= 2);
    expect(warnings).toEqual([{ code: 'monitor.frameQuarantined', type: 'tick', error: 'RangeError' }]);
    broken = false;
    await until('the job ended', ended(bench, 'job-moment'));
    expectSound(bench.eventsOf('job-moment'));
    await answers(200);
  });

  test('replaces a socket that its core calls deaf, once and by one', async () => {
    bench = await openBench('model-free-fast');
    const monitor = await bench.start(true, {
      reduce: (state, input, now, newId) => {
        const step = reduce(state, input, now, newId);
        const isCall = input.kind === 'frame' && input.frame.type === 'execution_start';
        return isCall && input.frame.data.prompt_id === 'deaf'
          ? { ...step, state: { ...step.state, canary: { ...step.state.canary, deaf: true } } }
          : step;
      },
    });
    bench.comfy.broadcast('{"type":"execution_start","data":{"prompt_id":"deaf","timestamp":1}}');
    await until('it is connected anew', () => monitor.metrics.value('socket_connects_total') === 2);
    expect(bench.comfy.connections()).toBe(1);
    await bench.submit(job('job-deaf'));
    await until('the job ended', ended(bench, 'job-deaf'));
    expectSound(bench.eventsOf('job-deaf'));
    expect(monitor.metrics.value('socket_connects_total')).toBe(2);
  });

  test('says what became of a job that a restart of ComfyUI took with it', async () => {
    bench = await openBench('text-to-image', { pauseBefore: (t) => t.includes('"value":2,"max":8') });
    await bench.start();
    await bench.submit(job('job-5'));
    await until('the sampler works', () => bench!.comfy.isPaused() && bench!.eventsOf('job-5').length > 0);
    await bench.comfy.down();
    await bench.comfy.up();
    await until('the job ended', ended(bench, 'job-5'));
    expectSound(bench.eventsOf('job-5'));
    expect(bench.eventsOf('job-5').at(-1)?.detail['reason']).toBe('comfyRestarted');
  }, 30_000);
});

describe('a bus that does not take everything at once', () => {
  test('gets every event of a job in order though entries and calls fail', async () => {
    bench = await openBench('model-free-fast');
    const isEvery = (nth: number) => {
      let count = 0;
      return () => (count += 1) % nth === 0;
    };
    const [badEntry, badCall] = [isEvery(2), isEvery(3)];
    bench.bus.judgeEntries(() =>
      badEntry() ? { kind: 'reject', code: 'ThrottlingException' } : { kind: 'accept' },
    );
    bench.bus.judgeCalls(() =>
      badCall() ? { kind: 'reject', code: 'InternalException' } : { kind: 'accept' },
    );
    const monitor = await bench.start();
    await bench.submit(job('job-6'));
    await until('the job ended', ended(bench, 'job-6'));
    expectSound(bench.eventsOf('job-6'));
    expect(types(bench.eventsOf('job-6'))).toEqual(
      expect.arrayContaining(['Job Started', 'Images Generated']),
    );
    expect(monitor.metrics.value('publish_retries_total')).toBeGreaterThan(0);
  });

  test('never sends two events of one job in one call', async () => {
    bench = await openBench('model-free-fast');
    bench.bus.delay(20);
    await bench.start();
    await bench.submit(job('job-7'));
    await until('the job ended', ended(bench, 'job-7'));
    for (const call of bench.bus.calls) {
      const jobs = call.map((entry) => String((JSON.parse(entry.Detail) as { jobId: unknown }).jobId));
      expect(new Set(jobs).size).toBe(jobs.length);
    }
  });

  test('gets only the newest snapshot after a slow spell', async () => {
    bench = await openBench('text-to-image', { pace: 0.02 }, { MONITOR_PROGRESS_INTERVAL_MS: '50' });
    const monitor = await bench.start();
    bench.bus.delay(400);
    await bench.submit(job('job-8'));
    await until('the job ended', ended(bench, 'job-8'));
    expectSound(bench.eventsOf('job-8'));
    expect(monitor.metrics.value('events_superseded_total')).toBeGreaterThan(0);
  });
});

describe('a monitor that stops and comes back', () => {
  test('publishes Monitor Stopped and gives its lock back', async () => {
    bench = await openBench('model-free-fast');
    const first = await bench.start();
    await first.stop();
    expect(bench.bus.accepted.at(-1)).toMatchObject({
      detailType: 'Monitor Stopped',
      detail: { reason: 'signal' },
    });
    expect(bench.comfy.connections()).toBe(0);
    await bench.start();
  });

  test('sends what was spooled and never uses a sequence twice', async () => {
    bench = await openBench('text-to-image', { pauseBefore: (t) => t.includes('"value":4,"max":8') });
    const first = await bench.start();
    bench.bus.judgeEntries((entry) =>
      entry.DetailType.startsWith('Job') || entry.DetailType.startsWith('Node')
        ? { kind: 'reject', code: 'InternalFailure' }
        : { kind: 'accept' },
    );
    await bench.submit(job('job-9'));
    await until(
      'events wait',
      () => bench!.comfy.isPaused() && first.metrics.value('publish_retries_total') > 0,
    );
    await first.stop();
    expect(bench.eventsOf('job-9')).toEqual([]);
    bench.bus.judgeEntries(() => ({ kind: 'accept' }));
    await bench.start();
    bench.comfy.resume();
    await until('the job ended', ended(bench, 'job-9'));
    const events = bench.eventsOf('job-9');
    expectSound(events);
    expect(types(events).filter((type) => type === 'Job Started')).toHaveLength(1);
    const started = events.flatMap((e) =>
      e.detailType === 'Node Executing' ? (e.detail['nodes'] as { nodeId: string }[]) : [],
    );
    expect(started.map((node) => node.nodeId).sort()).toEqual(['3', '8', '9']);
  }, 30_000);

  test('is refused a state directory that another monitor holds', async () => {
    bench = await openBench('model-free-fast');
    await bench.start();
    const refused = await bench.start(false).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(MonitorError);
    expect(refused).toMatchObject({ code: 'stateDirLocked' });
  });
});

describe('the health server', () => {
  test('answers 200 while connected and 503 while not, and counts for Prometheus', async () => {
    bench = await openBench('model-free-fast');
    const { healthPort } = await bench.start();
    const get = (path: string) => fetch(`http://127.0.0.1:${healthPort}${path}`);
    const healthy = await get('/healthz');
    expect([healthy.status, await healthy.json()]).toMatchObject([
      200,
      { state: 'healthy', workerId: WORKER_ID },
    ]);
    expect(await (await get('/metrics')).text()).toContain(
      'comfyui_monitor_events_published_total{kind="Monitor Initialized"} 1',
    );
    expect((await get('/nothing')).status).toBe(404);
    await bench.comfy.down();
    let status = 200;
    for (let tries = 0; status !== 503 && tries < 200; tries += 1) status = (await get('/healthz')).status;
    expect(status).toBe(503);
  });
});
