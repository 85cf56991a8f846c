import { expect, test } from '@jest/globals';
import { pushMessageSchema } from '../../shared-types/index.ts';
import { storedOutput } from '../adapters/test-support/stored-output.ts';
import { bytesOf, fitting } from './fitting.ts';
import { progressPush } from './progress-push.ts';
import { snapshotOf } from './job-snapshot.ts';
import { makeAssignedJob } from './test-support/fixtures.ts';

const API_GATEWAY_BYTES = 128 * 1024;

test('as many items are kept as fit, from the first', () => {
  expect(fitting(['aa', 'bb', 'cc'], 10)).toEqual(['aa', 'bb']);
  expect(fitting(['aa'], 0)).toEqual([]);
  expect(fitting(['世界'], 8)).toEqual([]);
});

const longNames = Array.from({ length: 200 }, (_, index) =>
  storedOutput(index, { filename: '界'.repeat(1024) }),
);
const node = { nodeId: '3', displayNodeId: '3', nodeName: 'K-Sampler', nodeType: 'KSampler' };
const progress = {
  ...node,
  nodeProgress: 1,
  nodeMaxProgress: 20,
  nodePercentage: 5,
  nodeState: 'executing',
  overallPercentage: 5,
  completedNodes: 1,
  cachedNodes: 0,
  totalNodes: 7,
  runningNodes: [],
  message: 'Generating image using K-Sampler: 1/20 steps (5%)',
};

test('a snapshot with more outputs than a push holds is cut, and says so', () => {
  const snapshot = snapshotOf(makeAssignedJob({ progress, earlyOutputs: longNames }), undefined);
  expect(bytesOf(pushMessageSchema.parse(snapshot))).toBeLessThan(API_GATEWAY_BYTES);
  expect(snapshot.outputs.length).toBeGreaterThan(10);
  expect(snapshot).toMatchObject({ outputsTruncated: true });
  const small = snapshotOf(makeAssignedJob({ earlyOutputs: [storedOutput(1), storedOutput(1)] }), undefined);
  expect(small.outputs).toEqual([storedOutput(1)]);
  expect(small).not.toHaveProperty('outputsTruncated');
});

test('progress carries the outputs that there are, as many as fit', () => {
  const many = progressPush(makeAssignedJob({ earlyOutputs: longNames }), progress);
  expect(bytesOf(pushMessageSchema.parse(many))).toBeLessThan(API_GATEWAY_BYTES);
  expect(many.outputs?.length).toBeGreaterThan(10);
  expect(progressPush(makeAssignedJob(), progress)).not.toHaveProperty('outputs');
});
