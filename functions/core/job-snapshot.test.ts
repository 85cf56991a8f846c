import { expect, test } from '@jest/globals';
import { pushMessageSchema } from '../../shared-types/index.ts';
import { snapshotOf } from './job-snapshot.ts';
import { makeAssignedJob } from './test-support/fixtures.ts';

const failure = {
  reason: 'outOfMemory',
  message: 'CUDA out of memory',
  nodeId: '3',
  nodeName: 'K-Sampler',
  nodeType: 'KSampler',
  exceptionType: 'torch.OutOfMemoryError',
} as const;

test('a job that has failed says why and where to whoever comes after it', () => {
  const snapshot = snapshotOf(makeAssignedJob({ status: 'failed', failure }), undefined);
  expect(pushMessageSchema.parse(snapshot)).toMatchObject({
    error: 'CUDA out of memory',
    failure: { reason: 'outOfMemory', nodeId: '3', nodeName: 'K-Sampler', nodeType: 'KSampler' },
  });
});

test('the failure of an attempt that is tried again is none of the job', () => {
  const snapshot = snapshotOf(makeAssignedJob({ status: 'pending', failure }), undefined);
  expect(snapshot).not.toHaveProperty('failure');
});
