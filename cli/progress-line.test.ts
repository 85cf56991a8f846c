import { describe, expect, test } from '@jest/globals';
import { pushExamples } from '../shared-types/push-examples.ts';
import type { JobProgress } from '../shared-types/index.ts';
import { initialJobState } from '../web/client/job-model.ts';
import type { JobState } from '../web/index.ts';
import { displayWidth } from './printable.ts';
import { duration, progressLine } from './progress-line.ts';

const progress = pushExamples.job_snapshot.progress as unknown as JobProgress;
const stateOf = (changes: Partial<JobState>): JobState => ({ ...initialJobState('job'), ...changes });
const running = (nodeName: string): JobState =>
  stateOf({ status: 'running', percentage: 62.9, progress: { ...progress, nodeName } });
const outlook = { queuePosition: null, etaSeconds: 65 };

describe('the line of a job', () => {
  test('shows bar, percentage, node, step and how long it will take', () => {
    expect(progressLine('job', running('K-Sampler'), outlook, 100)).toBe(
      `job  ${'█'.repeat(15)}${'░'.repeat(9)}  62 %  K-Sampler 15/20  about 1 min 5 s`,
    );
  });

  test.each([
    [{ status: 'unknown' }, 'asking'],
    [{ status: 'pending' }, 'waiting  about 1 min 5 s'],
    [{ status: 'assigned' }, 'assigned to a worker  about 1 min 5 s'],
    [{ status: 'completed', message: 'Done: 1 output' }, '100 %  Done: 1 output'],
    [{ status: 'failed', message: 'no memory' }, 'no memory'],
    [{ status: 'cancelled' }, 'cancelled'],
    [
      { status: 'pending', message: 'lost', retry: { nextAttempt: 2, maxRetries: 3, delaySeconds: 1 } },
      'attempt 2 soon: lost  about 1 min 5 s',
    ],
  ] as const)('%j says %s', (changes, end) => {
    expect(progressLine('job', stateOf(changes), outlook, 120).endsWith(end)).toBe(true);
  });

  test('a waiting job tells its place', () => {
    const line = progressLine(
      'job',
      stateOf({ status: 'pending' }),
      { queuePosition: 3, etaSeconds: null },
      120,
    );
    expect(line.endsWith('waiting, number 3')).toBe(true);
  });

  test.each([1, 5, 20, 39, 40, 59, 60, 80, 89, 90, 100, 200])(
    'fits %d columns, wide names too',
    (columns) => {
      for (const name of ['K-Sampler', '世界'.repeat(100), 'x'.repeat(500)])
        expect(displayWidth(progressLine('job', running(name), outlook, columns))).toBeLessThan(
          Math.max(2, columns),
        );
    },
  );

  test('a long name makes room for the estimate', () => {
    const line = progressLine('job', running('x'.repeat(500)), outlook, 80);
    expect(line).toMatch(/x+…  about 1 min 5 s$/);
  });

  test('a name cannot steer the terminal', () => {
    const line = progressLine('job', running('\u001b[2J\r\n\u202eevil'), outlook, 100);
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(line).toContain('[2J evil');
  });

  test.each([
    [0, '0 s'],
    [-5, '0 s'],
    [59.6, '1 min 0 s'],
    [200, '3 min 20 s'],
    [3900, '1 h 5 min'],
  ])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));
});
