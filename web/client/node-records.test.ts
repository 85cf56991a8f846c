import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { NodeRecord } from '../../shared-types/index.ts';
import { mergeNodes } from './node-records.ts';

const record = (nodeId: string, second: number, state: NodeRecord['state'] = 'executing'): NodeRecord => ({
  nodeId,
  nodeName: nodeId,
  nodeType: 'KSampler',
  state,
  at: new Date(second * 1000).toISOString(),
  durationMs: null,
});

test('a node that ended takes the place of its beginning, where it stood', () => {
  const begun = mergeNodes([], [record('1', 1), record('2', 2)]);
  const ended = mergeNodes(begun, [record('1', 3, 'executed')]);
  expect(ended.map(({ nodeId, state }) => [nodeId, state])).toEqual([
    ['1', 'executed'],
    ['2', 'executing'],
  ]);
});

test('a beginning that comes late does not undo the end; a loop that begins again does', () => {
  const ended = mergeNodes([], [record('1', 3, 'executed')]);
  expect(mergeNodes(ended, [record('1', 1)])).toBe(ended);
  expect(mergeNodes(ended, [record('1', 3)])).toBe(ended);
  expect(mergeNodes(ended, [record('1', 4)])[0]?.state).toBe('executing');
});

test('a long attempt keeps its newest nodes', () => {
  const many = Array.from({ length: 2500 }, (_, n) => record(`${n}`, n));
  const kept = mergeNodes([], many);
  expect(kept).toHaveLength(2000);
  expect(kept.at(-1)?.nodeId).toBe('2499');
});

const someRecord = fc
  .record({
    nodeId: fc.constantFrom('1', '2', '3'),
    second: fc.nat({ max: 4 }),
    state: fc.constantFrom<NodeRecord['state']>('executing', 'executed', 'cached'),
  })
  .map(({ nodeId, second, state }) => record(nodeId, second, state));
const byId = (records: readonly NodeRecord[]): NodeRecord[] =>
  [...records].sort((a, b) => a.nodeId.localeCompare(b.nodeId));

test('in whatever order and however often the pieces come, the same is known in the end', () => {
  fc.assert(
    fc.property(fc.array(someRecord), fc.array(fc.nat({ max: 100 })), (said, picks) => {
      const once = mergeNodes([], said);
      const mixed = picks
        .map((pick) => said[pick % Math.max(1, said.length)])
        .filter((one) => one !== undefined);
      const disorder = [...mixed, ...[...said].reverse()].reduce<readonly NodeRecord[]>(
        (known, one) => mergeNodes(known, [one]),
        [],
      );
      expect(byId(disorder)).toEqual(byId(once));
      expect(mergeNodes(once, mixed)).toBe(once);
    }),
  );
});
