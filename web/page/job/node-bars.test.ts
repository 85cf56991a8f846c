import { describe, expect, test } from '@jest/globals';
import type { TimelineEntry } from '../api/read-answers.ts';
import { curlOf } from './curl.ts';
import { attemptBars, waitedMs } from './node-bars.ts';

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
const entry = (seconds: number, what: string, changes: Partial<TimelineEntry> = {}): TimelineEntry => ({
  at: at(seconds),
  attempt: 1,
  what,
  message: '',
  workerId: null,
  nodeId: null,
  nodeName: null,
  nodeType: null,
  durationMs: null,
  ...changes,
});
const node = (id: string) => ({ nodeId: id, nodeName: `Name ${id}`, nodeType: 'Type' });

describe('bars of a timeline', () => {
  const begun = [
    entry(0, 'submitted', { attempt: 0 }),
    entry(10, 'assigned', { workerId: 'pod-1' }),
    entry(11, 'node_cached', node('1')),
    entry(11, 'node_executing', node('2')),
  ];

  test('a node that runs has grown until now', () => {
    const [attempt] = attemptBars(begun, 15_000);
    expect(attempt).toMatchObject({ attempt: 1, workerId: 'pod-1', from: 10_000, to: 15_000, error: '' });
    expect(attempt!.bars).toMatchObject([
      { name: 'Name 1', state: 'cached', durationMs: 0 },
      {
        name: 'Name 2',
        about: 'Type · node 2',
        state: 'running',
        from: 11_000,
        to: 15_000,
        durationMs: 4000,
      },
    ]);
    expect(waitedMs(begun, 15_000)).toBe(10_000);
  });

  test('a finished one has its own time, and storing the outputs is a bar too', () => {
    const done = [
      ...begun,
      entry(14, 'node_executed', { ...node('2'), durationMs: 2900 }),
      entry(15, 'completed'),
    ];
    expect(attemptBars(done, 99_000)[0]).toMatchObject({
      to: 15_000,
      bars: [
        { state: 'cached' },
        { state: 'done', durationMs: 2900 },
        { name: 'Storing the outputs', from: 14_000, to: 15_000 },
      ],
    });
  });

  test('the node that failed is red, the attempt says why, and the next attempt has bars of its own', () => {
    const retried = [
      ...begun,
      entry(12, 'attempt_failed', { ...node('2'), message: 'no memory' }),
      entry(20, 'assigned', { attempt: 2, workerId: 'pod-2' }),
      entry(21, 'node_executing', { ...node('2'), attempt: 2 }),
    ];
    expect(attemptBars(retried, 25_000)).toMatchObject([
      { attempt: 1, error: 'no memory', to: 12_000, bars: [{}, { state: 'failed', to: 12_000 }] },
      { attempt: 2, error: '', workerId: 'pod-2', bars: [{ state: 'running', to: 25_000 }] },
    ]);
  });

  test('an end without a beginning, clocks that run backwards and nothing at all are no trouble', () => {
    expect(attemptBars([], 0)).toEqual([]);
    expect(waitedMs([], 0)).toBeUndefined();
    const odd = [
      entry(5, 'node_executed', { ...node('1'), durationMs: 1000 }),
      entry(6, 'node_executing', node('2')),
      entry(4, 'node_executed', node('2')),
    ];
    for (const bar of attemptBars(odd, 1000)[0]!.bars) expect(bar.to).toBeGreaterThanOrEqual(bar.from);
  });
});

test('a command line keeps quotes, dollars and every digit, and never holds the key', () => {
  const payload = `{"1":{"inputs":{"text":"it's $HOME \`x\`","seed":18446744073709551615}}}`;
  const curl = curlOf({ apiUrl: 'https://x.example/', workflowId: "o'clock", payload, withKey: true });
  expect(curl).toContain(`"text":"it'\\''s $HOME \`x\`","seed":18446744073709551615`);
  expect(curl).toContain(`"workflow_id":"o'\\''clock"`);
  expect(curl).toContain('Bearer $COMFY_API_KEY');
  expect(curl.startsWith("curl -X POST 'https://x.example/api/v1/tasks' \\\n")).toBe(true);
});
