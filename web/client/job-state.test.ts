import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { pushExamples } from '../../shared-types/push-examples.ts';
import type { JobPush } from '../../shared-types/index.ts';
import { JOB_ID, pushOf, snapshotOf, taskOf, taskOutput } from '../test-support/job-pushes.ts';
import { initialJobState, isFinished, type JobState } from './job-model.ts';
import { applyTask, leavesGap, reduceJob } from './job-state.ts';
import { readTask, type TaskView } from './read-task.ts';

const start = initialJobState(JOB_ID);
const reduceAll = (pushes: readonly JobPush[], from: JobState = start): JobState =>
  pushes.reduce(reduceJob, from);
const progress = (sequence: number, overallPercentage: number, attempt = 1): JobPush =>
  pushOf('job_progress', { sequence, overallPercentage, attempt });
const [stored] = pushExamples.job_completed.outputs;

describe('order', () => {
  test('a push that is not newer than the last changes nothing', () => {
    const state = reduceAll([progress(4, 40)]);
    expect(reduceJob(state, progress(4, 90))).toBe(state);
    expect(reduceJob(state, progress(3, 90))).toBe(state);
  });

  test('a snapshot of the same version replaces the state, an older one does not', () => {
    const state = reduceAll([pushOf('job_started', { sequence: 4 })]);
    expect(reduceJob(state, snapshotOf({ sequence: 4 })).progress?.nodeName).toBe('K-Sampler');
    expect(reduceJob(state, snapshotOf({ sequence: 3 }))).toBe(state);
  });

  test('a push of another job changes nothing', () => {
    expect(reduceJob(start, pushOf('job_started', { jobId: 'other' }))).toBe(start);
  });

  test('a snapshot of a failed job says why and where, as the push of its failure would have', () => {
    const failure = {
      reason: 'outOfMemory',
      nodeId: '3',
      nodeName: 'K-Sampler',
      nodeType: 'KSampler',
    } as const;
    const failed = snapshotOf({ sequence: 9, status: 'failed', error: 'CUDA out of memory', failure });
    expect(reduceJob(initialJobState(JOB_ID), failed).failure).toEqual({
      ...failure,
      message: 'CUDA out of memory',
    });
    const bare = snapshotOf({ sequence: 9, status: 'failed', error: 'CUDA out of memory' });
    expect(reduceJob(initialJobState(JOB_ID), bare).failure).toMatchObject({ reason: null, nodeId: null });
  });

  test('a gap is a number more than one above the last; a snapshot leaves none', () => {
    const state = reduceAll([progress(4, 40)]);
    expect(leavesGap(state, progress(5, 41))).toBe(false);
    expect(leavesGap(state, progress(6, 41))).toBe(true);
    expect(leavesGap(state, snapshotOf({ sequence: 9 }))).toBe(false);
  });
});

describe('percentage', () => {
  test('does not fall within an attempt, whatever progress or snapshot says', () => {
    const state = reduceAll([progress(4, 60), progress(5, 30)]);
    expect(state.percentage).toBe(60);
    const low = { ...pushExamples.job_snapshot.progress, overallPercentage: 12 };
    expect(reduceJob(state, snapshotOf({ sequence: 6, progress: low })).percentage).toBe(60);
  });

  test('starts again with a new attempt, and nothing of the old one stays', () => {
    const before = reduceAll([
      pushOf('job_progress', { sequence: 4, overallPercentage: 60, outputs: [stored!] as never }),
    ]);
    const state = reduceJob(before, pushOf('job_started', { sequence: 7, attempt: 2 }));
    expect(state).toMatchObject({
      percentage: 0,
      progress: null,
      outputs: [],
      attempt: 2,
      status: 'running',
    });
  });

  test('a push of an attempt that was given up says nothing, but uses up its number', () => {
    const state = reduceAll([progress(4, 20, 2)]);
    expect(reduceJob(state, progress(5, 90, 1))).toEqual({ ...state, sequence: 5 });
  });
});

describe('retry', () => {
  test('an announced retry shows why, and ends with the next attempt', () => {
    const waiting = reduceAll([progress(4, 60), pushOf('job_retrying', { sequence: 5 })]);
    expect(waiting).toMatchObject({
      status: 'pending',
      percentage: 0,
      message: 'ComfyUI restarted while the job ran.',
      retry: { nextAttempt: 2, maxRetries: 3, delaySeconds: 10 },
    });
    const running = reduceJob(waiting, pushOf('job_started', { sequence: 6, attempt: 2 }));
    expect(running).toMatchObject({ status: 'running', retry: null });
  });

  test('one that was missed is told by a queued snapshot with a retry counted', () => {
    const missed = snapshotOf({ sequence: 8, status: 'pending', retryCount: 1, progress: null });
    const state = reduceAll([progress(4, 60), missed]);
    expect(state).toMatchObject({
      status: 'pending',
      percentage: 0,
      retry: { nextAttempt: 2, delaySeconds: null },
    });
  });
});

describe('what is added to a state', () => {
  const running = reduceAll([progress(4, 40)]);
  const nodes = (changes: Parameters<typeof pushOf<'job_nodes'>>[1] = {}): JobPush =>
    pushOf('job_nodes', { sequence: 4, ...changes });
  const preview = (changes: Parameters<typeof pushOf<'job_preview'>>[1] = {}): JobPush =>
    pushOf('job_preview', { sequence: 4, ...changes });

  test('takes no number, leaves no gap and may come twice', () => {
    const state = reduceAll([nodes(), preview()], running);
    expect(state).toMatchObject({ sequence: 4, percentage: 40, nodes: [{ state: 'executed' }] });
    expect(reduceJob(state, nodes())).toBe(state);
    expect(leavesGap(running, nodes())).toBe(false);
    expect(leavesGap(running, nodes({ sequence: 5 }))).toBe(false);
    expect(leavesGap(running, nodes({ sequence: 6 }))).toBe(true);
    expect(leavesGap(running, nodes({ attempt: 2 }))).toBe(true);
  });

  test('says nothing when it is of an attempt that was given up', () => {
    const second = reduceJob(running, pushOf('job_started', { sequence: 5, attempt: 2 }));
    expect(second.nodes).toEqual([]);
    expect(reduceJob(second, nodes({ sequence: 5 }))).toBe(second);
    expect(reduceJob(second, preview({ sequence: 5 }))).toBe(second);
  });

  test('nodes that come late are still told, a picture of an older state is not', () => {
    const later = reduceJob(running, progress(5, 50));
    expect(reduceJob(later, nodes()).nodes).toHaveLength(1);
    expect(reduceJob(later, preview())).toBe(later);
  });

  test('the picture goes with the run, the nodes stay; those of the last moment may follow the end', () => {
    const shown = reduceAll([nodes(), preview()], running);
    for (const end of ['job_completed', 'job_failed', 'job_cancelled', 'job_retrying'] as const) {
      const ended = reduceJob(shown, pushOf(end, { sequence: 5 }));
      expect(ended).toMatchObject({ preview: null, eta: null, nodes: [{ nodeId: '3' }] });
    }
    const ended = reduceJob(shown, pushOf('job_completed', { sequence: 5 }));
    const [example] = pushExamples.job_nodes.nodes;
    const last = nodes({ sequence: 5, nodes: [{ ...example!, nodeId: '9' } as never] });
    expect(reduceJob(ended, last).nodes.map(({ nodeId }) => nodeId)).toEqual(['3', '9']);
    expect(reduceJob(ended, preview({ sequence: 5 }))).toBe(ended);
  });

  test('a snapshot completes the nodes and takes none away', () => {
    const state = reduceJob(reduceJob(running, nodes()), snapshotOf({ sequence: 4 }));
    expect(state.nodes).toMatchObject([{ nodeId: '3', state: 'executed' }]);
  });
});

describe('waiting', () => {
  const waiting = snapshotOf({
    sequence: 1,
    status: 'pending',
    progress: null,
    queuePosition: 3,
    attempt: 0,
  });

  test('shows the place and the time until the end, and the place goes once it runs', () => {
    const state = reduceAll([waiting]);
    expect(state).toMatchObject({ queuePosition: 3, eta: { lowSeconds: 4, highSeconds: 7 } });
    expect(reduceJob(state, pushOf('job_started', { sequence: 2 })).queuePosition).toBeNull();
    expect(reduceJob(state, snapshotOf({ sequence: 2, queuePosition: 1 })).queuePosition).toBeNull();
  });

  test('a time comes with progress, and goes when nobody can tell any more', () => {
    const state = reduceAll([progress(4, 40)]);
    expect(state.eta).toEqual({ lowSeconds: 4, highSeconds: 7 });
    expect(reduceJob(state, pushOf('job_progress', { sequence: 5, eta: null })).eta).toBeNull();
  });

  test('the task API tells both too', () => {
    const task = viewOf({ status: 'pending', attempt: 0, queue_position: 2, eta_seconds: 30 });
    const eta = { lowSeconds: 30, highSeconds: 30 };
    expect(applyTask(reduceAll([waiting]), task)).toMatchObject({ queuePosition: 2, eta });
  });
});

describe('the end', () => {
  test('completed brings 100% and the outputs', () => {
    const state = reduceAll([pushOf('job_completed')]);
    expect(state).toMatchObject({ status: 'completed', percentage: 100, durationMs: 11_000 });
    expect(state.outputs).toHaveLength(1);
  });

  test('failed names the node', () => {
    const state = reduceAll([pushOf('job_failed')]);
    expect(state.failure).toMatchObject({ reason: 'nodeError', nodeName: 'Load Image', nodeId: '1' });
  });

  test.each([
    ['completed', pushOf('job_completed', { sequence: 9 })],
    ['failed', pushOf('job_failed', { sequence: 9 })],
    ['cancelled', pushOf('job_cancelled', { sequence: 9 })],
  ])('%s sticks, whatever comes after it', (_status, push) => {
    const ended = reduceAll([push]);
    const after: JobPush[] = [
      pushOf('job_started', { sequence: 10 }),
      progress(11, 5),
      pushOf('job_retrying', { sequence: 12 }),
      pushOf('job_started', { sequence: 13, attempt: 2 }),
      snapshotOf({ sequence: 14, status: 'running' }),
    ];
    expect(reduceAll(after, ended)).toBe(ended);
    expect(applyTask(ended, viewOf({ status: 'running', attempt: 2 }))).toBe(ended);
  });

  test('of the outputs only a longer list may still come, and of the nodes what they did before it', () => {
    const ended = reduceAll([pushOf('job_completed', { sequence: 9 })]);
    const end = (outputs: readonly unknown[], nodes: JobState['nodes'] = []): JobPush =>
      snapshotOf({ sequence: 10, status: 'completed', outputs: outputs as never, nodes: [...nodes] });
    const [node] = pushExamples.job_nodes.nodes as [JobState['nodes'][number]];
    expect(reduceJob(ended, end([], [node]))).toEqual({ ...ended, nodes: [node] });
    expect(reduceJob(ended, end([]))).toBe(ended);
    expect(reduceJob(ended, end([stored]))).toBe(ended);
    expect(reduceJob(ended, end([stored, stored])).outputs).toHaveLength(2);
  });

  test('a job that the server does not know ends as notFound', () => {
    const state = reduceJob(start, {
      type: 'error',
      code: 'notFound',
      message: 'no such job',
      jobId: JOB_ID,
    });
    expect(state).toMatchObject({ status: 'notFound', failure: { message: 'no such job' } });
    expect(isFinished(state)).toBe(true);
  });

  test('any other refusal says nothing about the job', () => {
    expect(reduceJob(start, { type: 'error', code: 'internal', message: 'later', jobId: JOB_ID })).toBe(
      start,
    );
  });
});

const viewOf = (changes: Parameters<typeof taskOf>[0]): TaskView => readTask(taskOf(changes))!;

describe('an answer of the task API', () => {
  test('moves the state forward and keeps the number of the last push', () => {
    const state = applyTask(reduceAll([pushOf('job_started', { sequence: 3 })]), viewOf({ progress: 45 }));
    expect(state).toMatchObject({ status: 'running', percentage: 45, sequence: 3 });
    expect(reduceJob(state, progress(4, 50)).percentage).toBe(50);
  });

  test('never moves it back', () => {
    const state = reduceAll([progress(4, 60)]);
    expect(applyTask(state, viewOf({ status: 'assigned' }))).toBe(state);
    expect(applyTask(state, viewOf({ progress: 20 })).percentage).toBe(60);
    expect(applyTask(state, viewOf({ attempt: 0, status: 'completed' }))).toBe(state);
  });

  test('completes the list of outputs that was cut', () => {
    const cut = reduceAll([pushOf('job_completed', { outputsTruncated: true })]);
    const result = {
      src: null,
      mime_type: null,
      outputs: [taskOutput(0), taskOutput(1)],
      missing_outputs: [],
    };
    const state = applyTask(cut, viewOf({ status: 'completed', result }));
    expect(state).toMatchObject({ outputsTruncated: false, status: 'completed' });
    expect(state.outputs.map(({ src }) => src)).toEqual([
      'https://pictures.example/0.png',
      'https://pictures.example/1.png',
    ]);
  });

  test('an answer that is no task is refused', () => {
    for (const answer of [null, [], 'x', {}, { id: JOB_ID }, { id: JOB_ID, status: 'odd' }]) {
      expect(readTask(answer)).toBeUndefined();
    }
  });
});

/** A legal life of a job: attempts of rising progress, each but the last ending in a retry. */
const life = fc
  .record({
    attempts: fc.array(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 6 }), {
      minLength: 1,
      maxLength: 3,
    }),
    end: fc.constantFrom('job_completed' as const, 'job_failed' as const, 'job_cancelled' as const),
  })
  .map(({ attempts, end }) => {
    let sequence = 0;
    const next = (): number => (sequence += 1);
    const pushes: JobPush[] = [];
    for (const [index, steps] of attempts.entries()) {
      const attempt = index + 1;
      pushes.push(pushOf('job_started', { sequence: next(), attempt }));
      for (const step of [...steps].sort((a, b) => a - b)) pushes.push(progress(next(), step, attempt));
      if (attempt < attempts.length) {
        pushes.push(pushOf('job_retrying', { sequence: next(), attempt, nextAttempt: attempt + 1 }));
      }
    }
    pushes.push(pushOf(end, { sequence: next(), attempt: attempts.length }));
    return pushes;
  });

/** The same life as a bad network delivers it: mixed up, some twice, some never. */
const delivery = life.chain((pushes) =>
  fc.array(fc.nat({ max: pushes.length - 1 }), { maxLength: pushes.length * 2 }).map((picks) => ({
    pushes,
    delivered: picks.map((pick) => pushes[pick]!),
  })),
);

describe('on a network that loses, repeats and mixes up', () => {
  test('number and attempt never fall, the percentage only with a retry, and the end stays', () => {
    fc.assert(
      fc.property(delivery, ({ delivered }) => {
        let state = start;
        for (const push of delivered) {
          const next = reduceJob(state, push);
          expect(next.sequence).toBeGreaterThanOrEqual(state.sequence);
          expect(next.attempt).toBeGreaterThanOrEqual(state.attempt);
          const sameRun = next.attempt === state.attempt && next.status !== 'pending';
          if (sameRun) expect(next.percentage).toBeGreaterThanOrEqual(state.percentage);
          if (isFinished(state)) expect(next).toBe(state);
          state = next;
        }
      }),
    );
  });

  test('whatever came before, the last push brings every client to the same end', () => {
    fc.assert(
      fc.property(delivery, ({ pushes, delivered }) => {
        const last = pushes.at(-1)!;
        const essence = ({ status, attempt, sequence, outputs, failure, message }: JobState) => ({
          status,
          attempt,
          sequence,
          outputs,
          failure,
          message,
        });
        expect(essence(reduceAll([...delivered, last]))).toEqual(essence(reduceAll(pushes)));
      }),
    );
  });

  test('a second delivery of everything changes nothing', () => {
    fc.assert(
      fc.property(life, (pushes) => {
        const state = reduceAll(pushes);
        expect(reduceAll(pushes, state)).toBe(state);
      }),
    );
  });
});
