import { describe, expect, test } from '@jest/globals';
import { pushMessageSchema } from '../../shared-types/index.ts';
import { pushExamples } from '../../shared-types/push-examples.ts';
import { JOB_ID, pushOf } from '../test-support/job-pushes.ts';
import { readPush } from './read-push.ts';

describe('what the contract allows', () => {
  test.each(Object.entries(pushExamples))('%s is read without losing a key', (_type, example) => {
    const push = readPush(JSON.stringify(example));
    expect(push).toMatchObject(example);
    expect(pushMessageSchema.safeParse(push).success).toBe(true);
  });

  test('keys of a later version are ignored', () => {
    const later = {
      ...pushExamples.job_progress,
      etaSeconds: 3,
      runningNodes: [{ nodeId: '3', colour: 'red' }],
    };
    const push = readPush(JSON.stringify(later));
    expect(push).not.toHaveProperty('etaSeconds');
    expect(push).toMatchObject({ type: 'job_progress', runningNodes: [{ nodeId: '3', nodeName: '3' }] });
  });
});

describe('what nobody should send', () => {
  const broken: readonly [string, unknown][] = [
    ['an empty frame', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '1'],
    ['a string', '"x"'],
    ['cut JSON', '{"type":"job_progress"'],
    ['a bare NaN', 'NaN'],
    ['a byte order mark before the object', `\ufeff${JSON.stringify(pushExamples.job_started)}`],
    ['very deep nesting', '['.repeat(100_000)],
    ['bytes', new Uint8Array([1, 2, 3])],
    ['nothing', undefined],
    ['two megabytes', JSON.stringify({ ...pushExamples.job_started, message: 'x'.repeat(2_000_000) })],
    ['an unknown type', JSON.stringify({ ...pushExamples.job_started, type: 'job_paused' })],
    [
      'a type that is a key of every object',
      JSON.stringify({ ...pushExamples.job_started, type: '__proto__' }),
    ],
    ['no type', JSON.stringify({ jobId: JOB_ID })],
    ['no job', JSON.stringify({ ...pushExamples.job_started, jobId: undefined })],
    ['a job that is a number', JSON.stringify({ ...pushExamples.job_started, jobId: 7 })],
    ['a sequence as text', JSON.stringify({ ...pushExamples.job_started, sequence: '4' })],
    ['a sequence below zero', JSON.stringify({ ...pushExamples.job_started, sequence: -1 })],
    ['a broken sequence', JSON.stringify({ ...pushExamples.job_started, sequence: 1.5 })],
    [
      'an endless sequence',
      JSON.stringify(pushExamples.job_started).replace('"sequence":3', '"sequence":1e309'),
    ],
    ['a sequence past 2^53', JSON.stringify({ ...pushExamples.job_started, sequence: 2 ** 53 })],
    ['a snapshot in no known status', JSON.stringify({ ...pushExamples.job_snapshot, status: 'odd' })],
    [
      'progress without a percentage',
      JSON.stringify({ ...pushExamples.job_progress, overallPercentage: null }),
    ],
  ];
  test.each(broken)('%s is no push', (_what, data) => {
    expect(readPush(data)).toBeUndefined();
  });

  test('numbers out of range are cut to it, lists of anything are thinned out', () => {
    const push = readPush(
      JSON.stringify({
        ...pushExamples.job_progress,
        overallPercentage: 250,
        nodePercentage: -4,
        nodeProgress: -1,
        nodeMaxProgress: '20',
        totalNodes: -7,
        runningNodes: [null, 1, 'x', [], { nodeId: 3 }, { nodeId: '3' }],
        outputs: [null, {}, { outputId: 'a' }, { outputId: 'a', src: 'https://x/1.png', kind: 'hologram' }],
      }),
    );
    expect(push).toMatchObject({
      overallPercentage: 100,
      nodePercentage: 0,
      nodeProgress: 0,
      nodeMaxProgress: 1,
      totalNodes: 0,
      outputs: [{ outputId: 'a', kind: 'hologram', mimeType: 'application/octet-stream' }],
    });
    expect(push).toHaveProperty('runningNodes.length', 1);
  });

  test('keys named like parts of a prototype change nothing', () => {
    const text = JSON.stringify(pushOf('job_started')).replace('{', '{"__proto__":{"polluted":true},');
    expect(readPush(text)).toMatchObject({ type: 'job_started' });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
