import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { detailTypes, exampleOf } from '../../shared-types/index.ts';
import { readEnvelope } from './event-envelope.ts';
import { envelopeOf, makeEvent } from './test-support/fixtures.ts';

const started = makeEvent('Job Started');
const read = (input: unknown) => readEnvelope(input, ['Job Started', 'Task Submitted']);

describe('an event of its publisher', () => {
  test.each(detailTypes)('%s is read, with keys nobody knows yet', (detailType) => {
    const envelope = envelopeOf(detailType, exampleOf(detailType));
    const input = { ...envelope, later: 1, detail: { ...exampleOf(detailType), later: { a: 1 } } };
    const reading = readEnvelope(input, [detailType]);
    expect(reading).toMatchObject({ kind: 'event', event: { detailType, detail: { later: { a: 1 } } } });
  });
});

describe('what will never be readable is poison, with one line that says why', () => {
  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /no EventBridge event/],
    ['null', null, /no EventBridge event/],
    ['a list', [], /no EventBridge event/],
    ['a number', 1, /no EventBridge event/],
    ['no source', { ...started, source: undefined }, /no EventBridge event/],
    ['a type for another function', makeEvent('Job Failed'), /"Job Failed" is not for this function/],
    [
      'a type named like a prototype member',
      { ...started, 'detail-type': '__proto__' },
      /"__proto__" is not/,
    ],
    ['no detail', { ...started, detail: undefined }, /^detail/],
    ['a detail that is text', { ...started, detail: '{}' }, /^detail/],
    [
      'a job id of a megabyte',
      { ...started, detail: { ...exampleOf('Job Started'), jobId: 'x'.repeat(1e6) } },
      /^detail\.jobId/,
    ],
    ['attempt 0', { ...started, detail: { ...exampleOf('Job Started'), attempt: 0 } }, /^detail\.attempt/],
    ['sequence 0', { ...started, detail: { ...exampleOf('Job Started'), sequence: 0 } }, /^detail\.sequence/],
    [
      'sequence 1.5',
      { ...started, detail: { ...exampleOf('Job Started'), sequence: 1.5 } },
      /^detail\.sequence/,
    ],
    ['sequence 2^53-1', makeEvent('Job Started', { sequence: Number.MAX_SAFE_INTEGER }), /^detail\.sequence/],
    [
      'sequence 2^53',
      { ...started, detail: { ...exampleOf('Job Started'), sequence: 2 ** 53 } },
      /^detail\.sequence/,
    ],
    [
      'another major version',
      { ...started, detail: { ...exampleOf('Job Started'), schemaVersion: '2.0' } },
      /schemaVersion/,
    ],
    ["another worker's source", { ...started, source: 'comfyui.monitor.pod-2' }, /may not publish/],
    ['a monitor event from the pipeline', { ...started, source: 'comfyui.pipeline' }, /may not publish/],
    ['a source that only begins so', { ...started, source: 'comfyui.monitor.pod-1.x' }, /may not publish/],
    [
      'a task event from a monitor',
      { ...makeEvent('Task Submitted'), source: 'comfyui.monitor.pod-1' },
      /may not publish/,
    ],
  ])('%s', (_what, input, reason) => {
    const reading = read(input);
    expect(reading).toMatchObject({ kind: 'poison', reason: expect.stringMatching(reason) });
    expect((reading as { reason: string }).reason.length).toBeLessThan(300);
  });

  test('whatever it is, reading never throws and pollutes nothing', () => {
    const hostile = JSON.parse(
      '{"source":"x","detail-type":"Job Started","detail":{"__proto__":{"polluted":1}}}',
    ) as unknown;
    expect(read(hostile).kind).toBe('poison');
    fc.assert(fc.property(fc.anything(), (input) => expect(read(input).kind).toBe('poison')));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
