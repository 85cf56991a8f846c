import { describe, expect, test } from '@jest/globals';
import { openJob, type Job, type JobPhase } from './job.ts';
import { initialState, type MonitorState } from './monitor-state.ts';
import { onlyRunningPrompt, ownerOf } from './own-jobs.ts';

const state = initialState(
  {
    clientId: 'monitor-w',
    workerId: 'w',
    bootId: '3a6b0a4e-3d55-4c29-8d0a-d9a0c1c1f001',
    comfyuiUrl: 'http://127.0.0.1:8188',
    progressIntervalMs: 1000,
    heartbeatIntervalSeconds: 20,
    tags: [],
    stallTimeoutMs: 60_000,
  },
  0,
);
const jobIn = (promptId: string, phase: JobPhase['kind'], change: Partial<Job> = {}): Job => ({
  ...openJob(promptId, 0, 'ours'),
  identity: { jobId: `job-${promptId}`, attempt: 3 },
  phase:
    phase === 'ending'
      ? { kind: 'ending', claim: { kind: 'success' }, since: 0 }
      : phase === 'closed'
        ? { kind: 'closed', at: 0 }
        : { kind: phase },
  ...change,
});
const stateWith = (jobs: readonly Job[], more: Partial<MonitorState> = {}): MonitorState => ({
  ...state,
  jobs: new Map(jobs.map((job) => [job.promptId, job])),
  ...more,
});

describe('the owner of a prompt', () => {
  test.each(['pending', 'running'] as const)('is its job while that is %s', (phase) => {
    expect(ownerOf(stateWith([jobIn('p', phase)]), 'p')).toEqual({ kind: 'job', jobId: 'job-p', attempt: 3 });
  });

  test.each(['ending', 'closed'] as const)('is nobody when it is %s', (phase) => {
    expect(ownerOf(stateWith([jobIn('p', phase)]), 'p')).toEqual({ kind: 'none' });
  });

  test.each<[string, readonly Job[]]>([
    ['never heard of', []],
    ['heard of in a broadcast only', [jobIn('p', 'running', { ownership: 'unknown' })]],
    ['without a name yet', [jobIn('p', 'running', { identity: undefined })]],
  ])('is undecided for one %s', (_name, jobs) => {
    expect(ownerOf(stateWith(jobs), 'p')).toEqual({ kind: 'undecided' });
  });

  test('is nobody for a prompt of another client, and for one that ended long ago', () => {
    const known = stateWith([], { foreign: new Set(['f']), finished: new Set(['old']) });
    expect([ownerOf(known, 'f'), ownerOf(known, 'old')]).toEqual([{ kind: 'none' }, { kind: 'none' }]);
  });
});

test('a preview without a name is of the one own job that runs, and of none where there are more', () => {
  const only = (...jobs: Job[]) => onlyRunningPrompt(stateWith(jobs).jobs);
  expect(only()).toBeUndefined();
  expect(only(jobIn('p', 'pending'))).toBeUndefined();
  expect(only(jobIn('p', 'running'), jobIn('q', 'pending'), jobIn('r', 'closed'))).toBe('p');
  expect(only(jobIn('p', 'running'), jobIn('q', 'running'))).toBeUndefined();
  expect(only(jobIn('p', 'running'), jobIn('q', 'running', { ownership: 'unknown' }))).toBe('p');
});
