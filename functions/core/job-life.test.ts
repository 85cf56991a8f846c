/**
 * Whole lives of jobs: submitted, dispatched, retried, ended, while the bus shuffles, repeats and loses what it
 * carries, also from attempt to attempt. What a browser sees must still be one story.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { JobPush, MonitorDetailType } from '../../shared-types/index.ts';
import type { LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { createDispatchHandler } from '../dispatch/dispatch.ts';
import { createJobFailureHandler } from '../job-failure/job-failure.ts';
import { createJobProgressHandler } from '../job-progress/job-progress.ts';
import { createJobStartHandler } from '../job-start/job-start.ts';
import { isTerminal } from './job.ts';
import { statusOf } from './worker.ts';
import { createDispatchWorld } from '../adapters/test-support/dispatch-world.ts';
import { makeEvent, uuidOf, type Envelope } from './test-support/fixtures.ts';
import type { Submitted } from './test-support/scripted-comfyui.ts';

const SCHEDULE = { id: 'x', source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} };

const setUp = async () => {
  const world = createDispatchWorld();
  await world.addWorker('w1');
  await world.addWorker('w2');
  const jobId = await world.addJob({ max_retries: 2 });
  await world.table.subscriptions.subscribe(jobId, 'user-1', 'c1');
  const deps = { ...world.deps, ...world.table };
  const dispatch = createDispatchHandler({ ...deps, addressPolicy: 'private' });
  const progress = createJobProgressHandler(deps);
  const failure = createJobFailureHandler(deps);
  const consumers: Partial<Record<string, LambdaHandler[]>> = {
    'Job Started': [createJobStartHandler(deps)],
    'Node Progress Update': [progress],
    'Node Executing': [progress],
    'Node Executed': [progress],
    'Job Failed': [failure, dispatch],
    'Job Cancelled': [dispatch, failure],
  };
  const deliver = async (event: Envelope): Promise<void> => {
    for (const consume of consumers[event['detail-type']] ?? []) await consume(event);
  };
  return { ...world, jobId, dispatch, deliver };
};

let ids = 100_000;
/** What the monitor of that prompt says, in its order; the last one ends the attempt. */
const eventsOf = (
  { jobId, attempt, promptId, endpoint, clientId }: Submitted,
  ending: Ending,
): Envelope[] => {
  const workerId = new URL(endpoint).hostname;
  let sequence = 0;
  const say = (type: MonitorDetailType, detail: Record<string, unknown> = {}): Envelope => {
    ids += 1;
    sequence += 1;
    const base = { eventId: uuidOf(ids), jobId, attempt, promptId, workerId, clientId, sequence };
    return makeEvent(type, { ...base, ...detail });
  };
  const steps = [
    say('Job Started'),
    say('Node Executing'),
    say('Node Progress Update', { overallPercentage: 20 }),
    say('Node Progress Update', { overallPercentage: 60 }),
    say('Node Executed'),
    say('Node Progress Update', { overallPercentage: 90 }),
  ];
  const reason = ending === 'Job Cancelled' ? 'interrupted' : ending;
  return [...steps, say(ending === 'Job Cancelled' ? ending : 'Job Failed', { reason, message: 'it broke' })];
};

type Ending = 'nodeError' | 'vanished' | 'workerStalled' | 'Job Cancelled';
const ending = fc.constantFrom<Ending>('nodeError', 'vanished', 'workerStalled', 'Job Cancelled');
/** Per event: how often it is delivered, and where it is shuffled to. */
const fates = fc.array(fc.record({ times: fc.nat(2), place: fc.nat(1000) }), { minLength: 7, maxLength: 7 });
const plan = fc.array(fc.record({ ending, fates }), { minLength: 3, maxLength: 3 });

const deliveries = (
  events: readonly Envelope[],
  each: readonly { times: number; place: number }[],
): Envelope[] =>
  events
    .flatMap((event, index) => {
      const { times, place } = each[index] ?? { times: 1, place: 0 };
      // The end of an attempt is repeated until it arrives; all else may be lost.
      const count = index === events.length - 1 ? Math.max(1, times) : times;
      return Array.from({ length: count }, (_, copy) => ({ event, at: (place * (copy + 7)) % 1000 }));
    })
    .sort((a, b) => a.at - b.at)
    .map(({ event }) => event);

/** What a browser makes of it: what is not newer is dropped. */
const seenBy = (pushes: readonly JobPush[]): JobPush[] => {
  const seen: JobPush[] = [];
  for (const push of pushes) if (push.sequence > (seen.at(-1)?.sequence ?? 0)) seen.push(push);
  return seen;
};

const expectOneStory = (pushes: readonly JobPush[]): void => {
  const raw = pushes.map(({ sequence }) => sequence);
  expect([...raw].sort((a, b) => a - b)).toEqual(raw);
  const percentages = new Map<number, number>();
  for (const push of seenBy(pushes)) {
    if (push.type !== 'job_progress') continue;
    expect(push.overallPercentage).toBeGreaterThanOrEqual(percentages.get(push.attempt) ?? 0);
    percentages.set(push.attempt, push.overallPercentage);
  }
  const attempts = pushes.map(({ attempt }) => attempt);
  expect([...attempts].sort((a, b) => a - b)).toEqual(attempts);
};

test('ends once, whatever becomes of its events', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async (attempts) => {
      const world = await setUp();
      const late: Envelope[] = [];
      for (const { ending: how, fates: each } of attempts) {
        await world.dispatch(SCHEDULE);
        const prompt = world.comfyUi.queued.at(-1)!;
        if (world.job(world.jobId).promptId !== prompt.promptId) break;
        const events = eventsOf(prompt, how);
        for (const event of [...late, ...deliveries(events, each)]) await world.deliver(event);
        world.comfyUi.finish(prompt.promptId);
        late.push(...events);
        // Due for another attempt if it may have one; monitors keep their leases.
        world.clock.advance(50_000);
        await world.heartbeat();
      }
      const ended = world.job(world.jobId);
      const before = world.pusher.sent.length;
      for (const event of late.toReversed()) await world.deliver(event);
      expect(world.job(world.jobId)).toEqual(ended);
      expect(isTerminal(ended.status)).toBe(true);
      expect(await world.entriesOf(world.jobId)).toEqual([]);
      expect(world.table.allWorkers().every((worker) => statusOf(worker) === 'idle')).toBe(true);

      const pushes = world.pusher.sent.map(({ message }) => message as JobPush);
      expectOneStory(pushes.slice(0, before));
      const ends = seenBy(pushes).filter(({ type }) => type === 'job_failed');
      expect(ends).toHaveLength(1);
      expect(seenBy(pushes).at(-1)?.type).toBe('job_failed');
      const told = world.publisher.events.filter(({ detailType }) => detailType === 'Task Failed');
      expect(new Set(told.map(({ detail }) => detail.eventId)).size).toBe(1);
      const posted = world.comfyUi.posted.map(({ attempt }) => attempt);
      expect(posted).toEqual(posted.map((_, index) => index + 1));
    }),
    { numRuns: 50 },
  );
});
