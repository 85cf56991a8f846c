import { expect, test } from '@jest/globals';
import { createScalingWorld } from '../adapters/test-support/scaling-world.ts';
import { createScaleWorkersHandler } from './scale-workers.ts';

const SCHEDULE = { id: 'x', source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} };

test('each minute is a pass; a second delivery of it launches nothing more', async () => {
  const { deps, enqueue, novita } = createScalingWorld();
  const handler = createScaleWorkersHandler(deps);
  await enqueue(1);
  await handler(SCHEDULE);
  await handler(SCHEDULE);
  expect(novita.launches).toHaveLength(1);
});

test.each([undefined, null, {}, { 'detail-type': 'Task Submitted' }, [SCHEDULE], 'x'])(
  'anything else launches nothing: %j',
  async (input) => {
    const { deps, enqueue, novita, codes } = createScalingWorld();
    await enqueue(1);
    await createScaleWorkersHandler(deps)(input);
    expect(novita.calls).toEqual([]);
    expect(codes()).toEqual(['scaling.not-a-schedule']);
  },
);

test('without pools nothing is read', async () => {
  const { deps, faults } = createScalingWorld();
  await createScaleWorkersHandler({ ...deps, pools: [] })(SCHEDULE);
  expect(faults.calls).toEqual([]);
});

test('a pass that fails is thrown, so that it is counted and repeated', async () => {
  const { deps, faults } = createScalingWorld();
  faults.fail('workers', 'list', 1);
  await expect(createScaleWorkersHandler(deps)(SCHEDULE)).rejects.toThrow('workers.list');
});
