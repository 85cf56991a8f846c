import { expect, test } from '@jest/globals';
import { createScalingWorld, STAGE } from '../adapters/test-support/scaling-world.ts';
import { createReapWorkersHandler } from './reap-workers.ts';

const SCHEDULE = { id: 'x', source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} };

const setUp = () => {
  const world = createScalingWorld();
  const { stage, clock, logger } = world.deps;
  const reached = new Map([
    ['novita', world.novita],
    ['runpod', world.runpod],
  ]);
  world.novita.add({ pool: `${STAGE}-gpu`, workerId: 'over', leaseUntil: world.clock.iso(-1) });
  return { ...world, handler: createReapWorkersHandler({ reached, problems: [], stage, clock, logger }) };
};

test('what outlived its lease goes, with no store at hand', async () => {
  const { handler, novita, faults } = setUp();
  await handler(SCHEDULE);
  expect(novita.all()).toEqual([]);
  expect(faults.calls).toEqual([]);
});

test('only its schedule makes it reap', async () => {
  const { handler, novita, codes } = setUp();
  await handler({ 'detail-type': 'Task Submitted' });
  expect(novita.all()).toHaveLength(1);
  expect(codes()).toEqual(['reap.not-a-schedule']);
});

test('what could not be reaped is thrown, so that it is counted and repeated', async () => {
  const { handler, novita } = setUp();
  novita.refuse('terminate', { kind: 'unavailable', message: 'HTTP 503' });
  await expect(handler(SCHEDULE)).rejects.toMatchObject({ code: 'reap.incomplete' });
});
