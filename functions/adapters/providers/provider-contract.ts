/** What holds for every provider of workers, run against the provider's stateful fake over a real connection. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { LaunchRequest } from '../../core/providers/worker-provider.ts';
import { describeFaults } from './provider-contract-faults.ts';
import {
  createContractClock,
  createWorld,
  launchRequest,
  LEASE,
  type ContractClock,
  type ContractWorld,
  type ProviderFixture,
  type ProviderTraits,
} from './provider-contract-support.ts';

const describeLife = (world: () => ContractWorld, traits: ProviderTraits): void => {
  test('what was launched is found and listed, with what a reaper must know', async () => {
    const instance = await world().launched();
    const expected = { provider: world().provider.name, pool: 'pool-a', workerId: 'worker-1' };
    expect(instance).toMatchObject(expected);
    const found = await world().provider.get(instance.instanceId);
    const [first, ...others] = await world().listed();
    expect(others).toEqual([]);
    for (const seen of [instance, found.kind === 'found' ? found.instance : undefined, first]) {
      expect(seen).toMatchObject({ ...expected, instanceId: instance.instanceId });
      expect(Date.parse(seen?.leaseUntil ?? '')).toBe(Date.parse(LEASE));
      expect(Date.parse(seen?.launchedAt ?? '')).not.toBeNaN();
      expect(['starting', 'running']).toContain(seen?.state);
    }
  });

  test('the container gets the environment, and the id that its monitor shall have', async () => {
    const { instanceId } = await world().launched({ environment: { A: 'x=y z', WORKER_ID: 'another' } });
    const environment = world().fake.environmentOf(instanceId);
    expect(environment).toMatchObject({ A: 'x=y z', WORKER_ID: 'worker-1' });
  });

  test('once it runs it says so, and where', async () => {
    const { instanceId } = await world().launched();
    world().fake.settle();
    const found = await world().provider.get(instanceId);
    const [first] = await world().listed();
    for (const seen of [found.kind === 'found' ? found.instance : undefined, first]) {
      expect(seen?.state).toBe('running');
      expect(seen?.address ?? null).toEqual(traits.address ? expect.stringMatching(/^https?:\/\//) : null);
    }
  });

  test('a worker launched twice is one instance', async () => {
    const first = await world().launched();
    const second = await world().launched();
    world().fake.settle();
    const third = await world().launched();
    expect([second.instanceId, third.instanceId]).toEqual([first.instanceId, first.instanceId]);
    expect(world().fake.running()).toEqual([first.instanceId]);
  });

  test('a worker launched many times at once is one instance', async () => {
    const launches = Array.from({ length: 4 }, () => world().launched());
    const ids = new Set((await Promise.all(launches)).map(({ instanceId }) => instanceId));
    world().fake.settle();
    expect(world().fake.running()).toHaveLength(1);
    expect([...ids]).toEqual(world().fake.running());
  });

  test('two workers are two instances', async () => {
    const first = await world().launched();
    const second = await world().launched({ workerId: 'worker-2' });
    expect(second.instanceId).not.toBe(first.instanceId);
    expect((await world().listed()).map(({ workerId }) => workerId).sort()).toEqual(['worker-1', 'worker-2']);
  });

  test('when the first product is sold out, the second is taken', async () => {
    world().fake.sellOut([world().fake.products[0]]);
    const { instanceId } = await world().launched();
    expect(world().fake.running()).toEqual([instanceId]);
  });

  test('when all is sold out, the answer is no capacity, and nothing is left behind', async () => {
    world().fake.sellOut(world().fake.products);
    const answer = await world().provider.launch(launchRequest(world().fake));
    expect(answer.kind).toBe('noCapacity');
    expect(world().fake.running()).toEqual([]);
    expect(await world().listed()).toEqual([]);
    world().fake.sellOut([]);
    expect((await world().launched()).workerId).toBe('worker-1');
  });
};

const describeBounds = (world: () => ContractWorld, traits: ProviderTraits): void => {
  test('terminate stops it for good, and a second time says that it is gone', async () => {
    const { instanceId } = await world().launched();
    world().fake.settle();
    expect(await world().provider.terminate(instanceId)).toEqual({ kind: 'terminated' });
    world().fake.settle();
    expect(world().fake.running()).toEqual([]);
    expect(await world().provider.terminate(instanceId)).toEqual({ kind: 'absent' });
    const found = await world().provider.get(instanceId);
    expect(found.kind === 'found' ? found.instance.state : found.kind).toMatch(/^(absent|stopped)$/);
    expect((await world().listed()).filter(({ state }) => state !== 'stopped')).toEqual([]);
  });

  test('what is still starting can be terminated', async () => {
    const { instanceId } = await world().launched();
    expect(await world().provider.terminate(instanceId)).toEqual({ kind: 'terminated' });
    world().fake.settle();
    expect(world().fake.running()).toEqual([]);
  });

  const ids = ['nothing-here', '', '../x', 'a/../../b', 'a/b?c=d#e', '%2e%2e', 'x\r\nA: b', 'ü', '__proto__'];
  test.each(ids)('no instance has the id %j, and asking for it does no harm', async (id) => {
    const { provider, fake } = world();
    const { instanceId } = await world().launched();
    const answers = [await provider.get(id), await provider.terminate(id)];
    if (traits.logs === 'lines') answers.push((await provider.logs(id, 5)) as { kind: 'absent' });
    for (const { kind } of answers) expect(['absent', 'rejected']).toContain(kind);
    expect(fake.running()).toEqual([instanceId]);
  });

  test('the instances of another pool are not listed', async () => {
    const { instanceId } = await world().launched({ pool: 'pool-a' });
    await world().launched({ pool: 'pool-b', workerId: 'worker-2' });
    await world().launched({ pool: 'pool-a-b', workerId: 'worker-3' });
    expect((await world().listed()).map((instance) => instance.instanceId)).toEqual([instanceId]);
    expect(await world().listed('pool-c')).toEqual([]);
  });

  test('a stage lists the instances of all its pools, and of no other stage', async () => {
    const { provider, fake } = world();
    fake.addForeign();
    const gpu = await world().launched({ pool: 'dev-gpu' });
    const gone = await world().launched({ pool: 'dev-gone', workerId: 'worker-2' });
    await world().launched({ pool: 'prod-gpu', workerId: 'worker-3' });
    await world().launched({ pool: 'device-gpu', workerId: 'worker-4' });
    const answer = await provider.listStage('dev');
    const instances = answer.kind === 'listed' ? answer.instances : [];
    expect(instances.map(({ instanceId }) => instanceId).sort()).toEqual(
      [gpu.instanceId, gone.instanceId].sort(),
    );
    expect(Date.parse(instances[0]?.leaseUntil ?? '')).toBe(Date.parse(LEASE));
    expect(await provider.listStage('none')).toEqual({ kind: 'listed', instances: [] });
  });

  test('what others made is not listed, not found, and never terminated', async () => {
    const { provider, fake } = world();
    const foreign = fake.addForeign();
    const { instanceId } = await world().launched();
    expect((await world().listed()).map((instance) => instance.instanceId)).toEqual([instanceId]);
    expect(await provider.get(foreign)).toEqual({ kind: 'absent' });
    expect(await provider.terminate(foreign)).toEqual({ kind: 'absent' });
    if (traits.logs === 'lines') expect(await provider.logs(foreign, 5)).toEqual({ kind: 'absent' });
    expect([...fake.running()].sort()).toEqual([foreign, instanceId].sort());
  });

  test('logs are the last lines, newest last, none longer than 4 KB', async () => {
    const { provider, fake } = world();
    const { instanceId } = await world().launched();
    fake.settle();
    if (traits.logs === 'unsupported') {
      expect(await provider.logs(instanceId, 2)).toEqual({ kind: 'unsupported' });
      return;
    }
    fake.writeLog?.(instanceId, ['one', 'zwei 世界', 'x'.repeat(10_000), 'last']);
    const answer = await provider.logs(instanceId, 3);
    const lines = answer.kind === 'logs' ? answer.lines : [];
    expect(lines.map((line) => line.slice(0, 10))).toEqual(['zwei 世界', 'x'.repeat(10), 'last']);
    expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(4096);
  });

  test('its products have names, and a price or none', async () => {
    const answer = await world().provider.products();
    const products = answer.kind === 'products' ? answer.products : [];
    expect(products.map(({ id }) => id)).toEqual(expect.arrayContaining([...world().fake.products]));
    for (const { name: shown, pricePerHour } of products) {
      expect(shown).not.toBe('');
      expect(pricePerHour === null || pricePerHour >= 0).toBe(true);
    }
  });

  const wrongs: readonly (readonly [string, Partial<LaunchRequest>])[] = [
    ['no worker id', { workerId: '' }],
    ['a worker id of 64 characters', { workerId: 'w'.repeat(64) }],
    ['a worker id that is a path', { workerId: '../x' }],
    ['a pool with a space', { pool: 'pool a' }],
    ['no image', { image: ' ' }],
    ['a lease that is no time', { leaseUntil: 'tomorrow' }],
    ['a port that is none', { port: 70_000 }],
    ['half a GPU', { gpuCount: 0.5 }],
    ['a variable with a line break in its name', { environment: { 'A\nB': 'c' } }],
  ];
  test.each(wrongs)('%s is rejected before anything is asked', async (_, changes) => {
    const { provider, fake } = world();
    const answer = await provider.launch(launchRequest(fake, changes));
    expect(answer.kind).toBe('rejected');
    expect(fake.server.requests).toEqual([]);
  });
};

/**
 * @param setUp starts the fake and a provider on it, both with that clock, whose sleeps are the provider's deadlines
 */
export const describeProviderContract = (
  name: string,
  setUp: (clock: ContractClock) => Promise<ProviderFixture>,
  traits: ProviderTraits = { logs: 'lines', products: 'remote', address: true },
): void => {
  describe(`${name}, as any provider`, () => {
    let current: { readonly fixture: ProviderFixture; readonly world: ContractWorld } | undefined;
    const world = (): ContractWorld => {
      if (current === undefined) throw new Error('no test runs');
      return current.world;
    };
    beforeEach(async () => {
      const clock = createContractClock();
      const fixture = await setUp(clock);
      current = { fixture, world: createWorld(fixture, clock) };
    });
    afterEach(() => current?.fixture.stop());
    describeLife(world, traits);
    describeFaults(world, traits);
    describeBounds(world, traits);
  });
};
