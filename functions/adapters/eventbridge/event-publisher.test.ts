import { afterEach, expect, test } from '@jest/globals';
import { exampleOf, type PipelineEvent } from '../../../shared-types/index.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { uuidOf } from '../../core/test-support/fixtures.ts';
import { startAwsServer, type AwsAnswer, type AwsServer } from '../test-support/aws-server.ts';
import { createEventPublisher } from './event-publisher.ts';

interface Entry {
  readonly Source: string;
  readonly DetailType: string;
  readonly EventBusName: string;
  readonly Detail: string;
}

let server: AwsServer | undefined;
afterEach(async () => {
  await server?.stop();
});

const entriesOf = (body: string): Entry[] => (JSON.parse(body) as { Entries: Entry[] }).Entries;

/** `failing` says by call (from 1) and place which entries are refused. */
const start = async (failing: (call: number, index: number) => boolean = () => false) => {
  const clock = createFakeClock();
  const bus = await startAwsServer(({ body }, call): AwsAnswer => {
    const Entries = entriesOf(body).map((_, index) =>
      failing(call, index) ? { ErrorCode: 'ThrottlingException' } : { EventId: `${call}-${index}` },
    );
    const FailedEntryCount = Entries.filter((entry) => 'ErrorCode' in entry).length;
    return { status: 200, body: JSON.stringify({ Entries, FailedEntryCount }) };
  });
  server = bus;
  process.env['AWS_ENDPOINT_URL_EVENTBRIDGE'] = bus.url;
  const publisher = createEventPublisher({ busName: 'test-bus', clock, random: () => 0.5 });
  return { publisher, clock, calls: () => bus.requests.map(({ body }) => entriesOf(body)) };
};

const submitted = (n: number, extra: Record<string, unknown> = {}): PipelineEvent<'Task Submitted'> => ({
  detailType: 'Task Submitted',
  detail: { ...exampleOf('Task Submitted'), eventId: uuidOf(n), ...extra },
});

const idsOf = (entries: readonly Entry[] | undefined): string[] =>
  (entries ?? []).map(({ Detail }) => (JSON.parse(Detail) as { eventId: string }).eventId);

test('an event goes to the bus under the source of the control plane', async () => {
  const { publisher, calls } = await start();
  await publisher.publish([submitted(1)]);
  expect(calls()).toEqual([
    [
      expect.objectContaining({
        Source: 'comfyui.pipeline',
        DetailType: 'Task Submitted',
        EventBusName: 'test-bus',
      }),
    ],
  ]);
  expect(JSON.parse(calls()[0]![0]!.Detail)).toEqual(submitted(1).detail);
});

test('nothing to publish makes no call', async () => {
  const { publisher, calls } = await start();
  await publisher.publish([]);
  expect(calls()).toEqual([]);
});

test('ten entries a call at most, in order', async () => {
  const { publisher, calls } = await start();
  await publisher.publish(Array.from({ length: 23 }, (_, index) => submitted(index)));
  expect(calls().map((entries) => entries.length)).toEqual([10, 10, 3]);
  expect(calls().flatMap(idsOf)).toEqual(Array.from({ length: 23 }, (_, index) => uuidOf(index)));
});

test('a call stays below the size that EventBridge takes', async () => {
  const { publisher, calls } = await start();
  const filler = '界'.repeat(20_000); // 60 KB
  await publisher.publish(Array.from({ length: 9 }, (_, index) => submitted(index, { filler })));
  expect(calls().map((entries) => entries.length)).toEqual([4, 4, 1]);
});

test('entries that were refused are sent again, and only they, after a wait', async () => {
  const { publisher, calls, clock } = await start((call, index) => call === 1 && index === 1);
  await publisher.publish([submitted(1), submitted(2), submitted(3)]);
  expect(calls().map(idsOf)).toEqual([[uuidOf(1), uuidOf(2), uuidOf(3)], [uuidOf(2)]]);
  expect(clock.sleeps).toEqual([50]);
});

test('an entry that is refused again and again is an error worth repeating', async () => {
  const { publisher, calls } = await start(() => true);
  await expect(publisher.publish([submitted(1)])).rejects.toMatchObject({
    code: 'events.refused',
    retryable: true,
  });
  expect(calls()).toHaveLength(5);
});

test('a detail that breaks the contract is never sent', async () => {
  const { publisher, calls } = await start();
  await expect(publisher.publish([submitted(1), submitted(2, { priority: 11 })])).rejects.toMatchObject({
    code: 'event.invalid',
    retryable: false,
    message: expect.stringMatching(/Task Submitted: detail\.priority/),
  });
  expect(calls()).toEqual([]);
});
