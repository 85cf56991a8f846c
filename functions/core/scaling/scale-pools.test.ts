import { describe, expect, test } from '@jest/globals';
import { digestObjectInfo } from '../workflow/catalogue.ts';
import { scalePools } from './scale-pools.ts';
import { novitaEntry } from './test-support/fixtures.ts';
import { createScalingWorld, runpodEntry, STAGE } from '../../adapters/test-support/scaling-world.ts';

const JOB = '00000000-0000-4000-8000-00000000abcd';

/** One instance that works for the pool, idle. */
const running = async (pool: Readonly<Record<string, unknown>> = {}) => {
  const world = createScalingWorld(pool);
  await world.enqueue(1);
  await world.pass();
  const [row] = world.alive();
  await world.boot(row!.workerId, ['pool:gpu']);
  await world.clearQueue();
  await world.minutes(1);
  return { ...world, workerId: row!.workerId };
};

describe('scale up', () => {
  test('nothing waits and min is 0: nothing is launched', async () => {
    const { pass, novita, alive } = createScalingWorld();
    expect(await pass()).toMatchObject([{ pool: 'gpu', launched: 0, held: '0 instances, 0 needed' }]);
    expect(alive()).toEqual([]);
    expect(novita.calls).toEqual(['list']);
  });

  test('the first task launches one, told who it is and where to report', async () => {
    const { pass, novita, alive, enqueue, clock } = createScalingWorld({
      tags: ['sdxl'],
      providers: [
        novitaEntry({ environment: { MODE: 'fast' }, secretEnvironment: { AWS_ACCESS_KEY_ID: 'accessKey' } }),
      ],
    });
    await enqueue(1);
    await pass();
    const [row] = alive();
    expect(row).toMatchObject({ condition: 'live', provider: 'novita', instanceId: 'novita-1' });
    expect(novita.launches).toEqual([
      expect.objectContaining({
        pool: `${STAGE}-gpu`,
        workerId: row!.workerId,
        leaseUntil: clock.iso(240 * 60_000),
        environment: {
          MODE: 'fast',
          AWS_ACCESS_KEY_ID: 'AKIA',
          WORKER_ID: row!.workerId,
          EVENTBRIDGE_BUS_NAME: 'test-comfyui-events',
          AWS_REGION: 'eu-west-1',
          WORKER_TAGS: 'sdxl,pool:gpu,provider:novita',
        },
      }),
    ]);
    expect(novita.all()[0]!.leaseUntil).toBe(row!.leaseUntil);
  });

  test('what was launched is reckoned with while it boots', async () => {
    const { pass, minutes, novita, enqueue } = createScalingWorld();
    await enqueue(1);
    await pass();
    await minutes(5);
    expect(novita.launches).toHaveLength(1);
  });

  test('a paused queue, a paused user and tags that the pool lacks launch nothing', async () => {
    const { pass, novita, enqueue, table } = createScalingWorld();
    await enqueue(1, { tags: ['h100'] });
    await enqueue(1, {}, 'user-2');
    await table.shares.setPaused('user-2', true);
    await pass();
    expect(novita.launches).toEqual([]);
    await table.shares.setPaused('user-2', false);
    await table.shares.setAllPaused(true);
    await pass();
    expect(novita.launches).toEqual([]);
    await table.shares.setAllPaused(false);
    await pass();
    expect(novita.launches).toHaveLength(1);
  });

  test('a task that the image is known not to run launches nothing, also once the pool is empty again', async () => {
    const { workerId, catalogues, table, minutes, alive, enqueue, novita, clearQueue } = await running();
    const digest = digestObjectInfo('{"KSampler":{"input":{"required":{}},"output":[],"name":"KSampler"}}');
    if (digest.kind !== 'ok') throw new Error(digest.message);
    catalogues.set('hash', digest.catalogue);
    await table.workers.setCatalogue(workerId, 'hash');
    await minutes(12);
    expect(alive()).toEqual([]);
    await enqueue(3, { classes: ['NoSuchNode'] });
    await minutes(3);
    expect(novita.launches).toHaveLength(1);
    await clearQueue();
    await enqueue(1, { classes: ['KSampler'] });
    await minutes(1);
    expect(novita.launches).toHaveLength(2);
  });

  test('a worker that nobody launched does what it can: none is launched beside it', async () => {
    const { pass, novita, enqueue, boot } = createScalingWorld();
    await boot('desk-1');
    await enqueue(1);
    await pass();
    expect(novita.launches).toEqual([]);
    await enqueue(40);
    await pass();
    expect(novita.launches.length).toBeGreaterThan(0);
  });

  test('min instances are there without any task, and max is never passed', async () => {
    const { pass, minutes, alive, enqueue } = createScalingWorld({ min: 2, max: 3 });
    await pass();
    expect(alive()).toHaveLength(2);
    await enqueue(500);
    await minutes(10);
    expect(alive()).toHaveLength(3);
  });
});

describe('failover', () => {
  test('no capacity: the next provider has it', async () => {
    const { pass, novita, runpod, enqueue, alive } = createScalingWorld();
    novita.refuse('launch', { kind: 'noCapacity', message: 'sold out' });
    await enqueue(1);
    await pass();
    expect(runpod.launches).toHaveLength(1);
    expect(runpod.launches[0]!.products).toEqual(['RTX 4090']);
    expect(runpod.launches[0]!.environment['WORKER_TAGS']).toBe('pool:gpu,provider:runpod');
    expect(alive()).toMatchObject([{ provider: 'runpod', providerId: 'runpod', condition: 'live' }]);
  });

  test('no capacity anywhere: no row is left, and the next pass tries again', async () => {
    const { pass, minutes, novita, runpod, enqueue, rows } = createScalingWorld();
    for (const provider of [novita, runpod])
      provider.refuse('launch', { kind: 'noCapacity', message: 'sold out' });
    await enqueue(1);
    await pass();
    expect(rows()).toEqual([]);
    novita.recover();
    await minutes(1);
    expect(novita.launches).toHaveLength(1);
  });

  test('a rate limit is kept to, by the next passes too', async () => {
    const { pass, minutes, novita, runpod, enqueue, clearQueue } = createScalingWorld({ max: 8 });
    novita.refuse('launch', { kind: 'rateLimited', retryAfterMs: 150_000, message: 'slow down' });
    await enqueue(1);
    await pass();
    expect([novita.calls, runpod.launches.length]).toEqual([['list', 'launch'], 1]);
    novita.recover();
    await clearQueue();
    await enqueue(60);
    await minutes(2);
    expect(novita.launches).toHaveLength(0);
    await enqueue(60);
    await minutes(1);
    expect(novita.launches.length).toBeGreaterThan(0);
  });

  test.each(['unauthorized', 'rejected'] as const)('%s is an alarm, and skipped', async (kind) => {
    const { pass, novita, runpod, enqueue, logger, minutes } = createScalingWorld();
    novita.refuse('launch', { kind, message: 'no' });
    await enqueue(1);
    await pass();
    expect(runpod.launches).toHaveLength(1);
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'error', code: 'scaling.launch-refused' }),
    );
    await minutes(5);
    expect(novita.calls.filter((call) => call === 'launch')).toHaveLength(1);
  });

  test('a secret that lacks a member is an alarm, and another provider is asked', async () => {
    const { pass, novita, runpod, enqueue, codes } = createScalingWorld({
      providers: [novitaEntry({ secretEnvironment: { KEY: 'missing' } }), runpodEntry()],
    });
    await enqueue(1);
    await pass();
    expect([novita.launches.length, runpod.launches.length]).toEqual([0, 1]);
    expect(codes()).toContain('scaling.secret-missing');
  });

  test('a list that fails keeps no other provider from being used', async () => {
    const { pass, novita, runpod, enqueue } = createScalingWorld();
    novita.refuse('list', { kind: 'unavailable', message: 'HTTP 503' });
    novita.refuse('launch', { kind: 'noCapacity', message: 'sold out' });
    await enqueue(1);
    await pass();
    expect(runpod.launches).toHaveLength(1);
  });
});

describe('unknown outcomes', () => {
  test('it launches but answers 500: the next pass finds it, and launches no second one', async () => {
    const { pass, minutes, novita, runpod, enqueue, alive } = createScalingWorld();
    novita.loseNextAnswer();
    await enqueue(1);
    await pass();
    expect(alive()).toMatchObject([{ condition: 'launching', instanceId: null }]);
    await minutes(1);
    expect(alive()).toMatchObject([{ condition: 'live', instanceId: 'novita-1' }]);
    await minutes(5);
    expect([novita.launches.length, runpod.launches.length]).toEqual([1, 0]);
  });

  test('it answers 500 and made nothing: after three minutes another provider is asked', async () => {
    const { pass, minutes, novita, runpod, enqueue, alive } = createScalingWorld();
    novita.refuse('launch', { kind: 'unavailable', message: 'HTTP 500' });
    await enqueue(1);
    await pass();
    await minutes(2);
    expect([alive().length, runpod.launches.length]).toEqual([1, 0]);
    await minutes(2);
    expect(runpod.launches).toHaveLength(1);
    expect(alive()).toMatchObject([{ provider: 'runpod' }]);
  });

  test('a provider that cannot be asked at all does not block the pool for ever', async () => {
    const { pass, minutes, novita, runpod, enqueue } = createScalingWorld({ max: 1 });
    novita.refuse('launch', { kind: 'unavailable', message: 'HTTP 500' });
    await enqueue(1);
    await pass();
    novita.refuse('list', { kind: 'unavailable', message: 'HTTP 500' });
    await minutes(4);
    expect(runpod.launches).toHaveLength(1);
  });

  test('a crash between row and launch: the row is given up, and another is launched', async () => {
    const { minutes, novita, enqueue, alive, faults, deps } = createScalingWorld();
    await enqueue(1);
    const before = faults.calls.length;
    const probe = createScalingWorld();
    await probe.enqueue(1);
    const start = probe.faults.calls.length;
    await probe.pass();
    const launchCall = probe.faults.calls.indexOf('novita.launch', start) - start;
    faults.crashAt(before + launchCall + 1);
    await scalePools(deps).catch(() => undefined);
    faults.recover();
    expect(novita.launches).toEqual([]);
    expect(alive()).toMatchObject([{ condition: 'launching' }]);
    await minutes(4);
    expect(novita.launches).toHaveLength(1);
    expect(alive()).toMatchObject([{ condition: 'live' }]);
  });

  test('a crash at any call leaves, in the end, one instance and one row for one task', async () => {
    const probe = createScalingWorld();
    await probe.enqueue(1);
    const start = probe.faults.calls.length;
    await probe.pass();
    const calls = probe.faults.calls.length - start;
    expect(calls).toBeGreaterThan(8);
    for (const time of ['before', 'after'] as const) {
      for (let call = 1; call <= calls; call += 1) {
        const world = createScalingWorld();
        await world.enqueue(1);
        world.faults.crashAt(start + call, time);
        await world.pass().catch(() => undefined);
        world.faults.recover();
        await world.minutes(5);
        const all = [...world.novita.all(), ...world.runpod.all()];
        expect([time, call, all.length]).toEqual([time, call, 1]);
        expect(world.alive()).toMatchObject([{ workerId: all[0]!.workerId, condition: 'live' }]);
      }
    }
  });

  test('two passes at once launch what one would have launched, however they interleave', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const { deps, enqueue, novita, alive, minutes, faults } = createScalingWorld();
      await enqueue(1);
      let state = seed;
      faults.interleave(async () => {
        state = (state * 48_271) % 2_147_483_647;
        for (let turn = state % 4; turn > 0; turn -= 1) await Promise.resolve();
      });
      await Promise.all([scalePools(deps), scalePools(deps)]);
      expect([seed, novita.launches.length, alive().length]).toEqual([seed, 1, 1]);
      await minutes(2);
      expect(novita.all()).toHaveLength(1);
    }
  });

  test('an instance that no row knows is terminated at once; one of another stage is not touched', async () => {
    const { pass, novita, codes } = createScalingWorld();
    novita.add({ workerId: 'gpu-old', pool: `${STAGE}-gpu` });
    const other = novita.add({ workerId: 'gpu-other', pool: 'prod-gpu' });
    await pass();
    expect(novita.all()).toEqual([other]);
    expect(codes()).toContain('scaling.orphan-terminated');
  });

  test('a second instance of one worker is terminated, and the first stays', async () => {
    const { pass, novita, enqueue, alive } = createScalingWorld();
    await enqueue(1);
    await pass();
    const [row] = alive();
    novita.add({ workerId: row!.workerId, pool: `${STAGE}-gpu` });
    await pass();
    expect(novita.all().map(({ instanceId }) => instanceId)).toEqual([row!.instanceId]);
  });
});

describe('budget', () => {
  test('it stops scale-up, with the leases of those that run counted to their end', async () => {
    const { pass, minutes, novita, enqueue, logger } = createScalingWorld({
      budgetUsdPerDay: 4.5,
      leaseMinutes: 240,
      max: 8,
    });
    await enqueue(500);
    await pass();
    await minutes(10);
    expect(novita.launches).toHaveLength(2);
    const passes = logger.lines.filter(({ code }) => code === 'scaling.pass');
    expect(passes.at(-1)!.data['held']).toBe("the day's budget of $4.5 is committed");
    expect(passes.at(-1)!.data['committedTodayUsd']).toBe(4);
  });

  test('a cheaper provider is asked when only it fits', async () => {
    const { pass, novita, runpod, enqueue } = createScalingWorld({
      budgetUsdPerDay: 1,
      providers: [novitaEntry({ maxPricePerHour: 2 }), runpodEntry({ maxPricePerHour: 0.2 })],
    });
    await enqueue(1);
    await pass();
    expect([novita.launches.length, runpod.launches.length]).toEqual([0, 1]);
  });

  test('what costs more than its provider may is terminated, and the provider left alone', async () => {
    const { pass, minutes, novita, runpod, enqueue, rows, codes } = createScalingWorld({
      providers: [novitaEntry({ maxPricePerHour: 0.3 }), runpodEntry()],
    });
    await enqueue(1);
    await pass();
    expect(novita.all()).toEqual([]);
    expect(rows()).toMatchObject([{ condition: 'ended', endReason: 'overpriced' }]);
    expect(codes()).toContain('scaling.overpriced');
    await minutes(2);
    expect([novita.launches.length, runpod.launches.length]).toEqual([1, 1]);
  });
});

describe('scale down', () => {
  test('idle long enough: drained first, and terminated in a later pass', async () => {
    const { minutes, novita, table, workerId, alive } = await running();
    await minutes(4);
    expect((await table.workers.get(workerId))!.condition).toBe('ready');
    await minutes(1);
    expect((await table.workers.get(workerId))!.condition).toBe('draining');
    expect(novita.all()).toHaveLength(1);
    await minutes(1);
    expect(novita.all()).toEqual([]);
    expect(alive()).toEqual([]);
  });

  test('what holds a task is not terminated until it has done it and its files were copied', async () => {
    const { minutes, novita, table, workerId, assign, alive } = await running({ settleSeconds: 120 });
    await minutes(4);
    expect(await assign(workerId, JOB)).toBe(true);
    await table.workers.setDraining(workerId, true);
    await minutes(20);
    expect(alive()).toHaveLength(1);
    await table.workers.release(workerId, JOB, 1);
    await minutes(1);
    expect(novita.all()).toHaveLength(1);
  });

  test('a task between two passes keeps a worker: it is not idle since before', async () => {
    const { minutes, table, workerId, assign, novita } = await running();
    for (let at = 0; at < 5; at += 1) {
      await minutes(3);
      expect(await assign(workerId, JOB)).toBe(true);
      await table.workers.release(workerId, JOB, 1);
    }
    expect(novita.all()).toHaveLength(1);
  });

  test('min stays, and what is drained by an operator is left alone and replaced', async () => {
    const { minutes, workerId, table, novita, alive } = await running({ min: 1, max: 2 });
    await minutes(30);
    expect(novita.all()).toHaveLength(1);
    await table.workers.setDraining(workerId, true);
    await minutes(10);
    expect(alive().map((row) => row.workerId)).toContain(workerId);
    expect(novita.all()).toHaveLength(2);
  });

  test('one that is taken into service again while it drains is drained again, not terminated at work', async () => {
    const { minutes, workerId, table, boot, novita, assign } = await running();
    await minutes(5);
    expect((await table.workers.get(workerId))!.condition).toBe('draining');
    await boot(workerId);
    expect(await assign(workerId, JOB)).toBe(false);
    await table.workers.setDraining(workerId, false);
    expect(await assign(workerId, JOB)).toBe(true);
    await minutes(5);
    expect((await table.workers.get(workerId))!.condition).toBe('draining');
    expect(novita.all()).toHaveLength(1);
    await table.workers.release(workerId, JOB, 1);
    await minutes(6);
    expect(novita.all()).toEqual([]);
  });

  test('a termination that fails is repeated until the provider confirms it', async () => {
    const { minutes, novita, rows, logger } = await running();
    novita.refuse('terminate', { kind: 'unavailable', message: 'HTTP 500' });
    await minutes(8);
    expect(rows()).toMatchObject([{ condition: 'ending', endReason: 'idle' }]);
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'error', code: 'scaling.terminate-failed' }),
    );
    novita.recover();
    await minutes(1);
    expect(rows()).toMatchObject([{ condition: 'ended', endReason: 'idle' }]);
    expect(novita.all()).toEqual([]);
  });

  test('max lowered to 0 empties the pool, at work or not, tasks done first', async () => {
    const { workerId, assign, deps, config, table, novita, clock } = await running();
    await assign(workerId, JOB);
    const lowered = { ...deps, pools: [{ ...config, max: 0 }] };
    await scalePools(lowered);
    expect((await table.workers.get(workerId))!.condition).toBe('draining');
    await table.workers.release(workerId, JOB, 1);
    for (let at = 0; at < 6; at += 1) {
      clock.advance(60_000);
      await scalePools(lowered);
    }
    expect(novita.all()).toEqual([]);
  });
});

describe('replacement', () => {
  test('one that never announces itself is terminated after the boot time, and replaced', async () => {
    const { pass, minutes, novita, enqueue, rows, alive } = createScalingWorld();
    await enqueue(1);
    await pass();
    await minutes(14);
    expect(novita.launches).toHaveLength(1);
    await minutes(2);
    expect(rows()).toContainEqual(expect.objectContaining({ condition: 'ended', endReason: 'bootTimeout' }));
    expect(novita.launches).toHaveLength(2);
    expect(alive()).toHaveLength(1);
  });

  test('an image that never comes up is launched more and more seldom', async () => {
    const { pass, minutes, novita, enqueue } = createScalingWorld({ bootMinutes: 1, max: 1 });
    await enqueue(1);
    await pass();
    await minutes(120);
    expect(novita.launches.length).toBeLessThan(14);
    expect(novita.launches.length).toBeGreaterThan(4);
  });

  test('a quarantined one is terminated although it holds a task, and replaced', async () => {
    const { workerId, table, assign, minutes, novita, enqueue, rows } = await running();
    await assign(workerId, JOB);
    await enqueue(1);
    await table.workers.quarantine(workerId, (await table.workers.get(workerId))!.bootId);
    await minutes(2);
    expect(rows()).toContainEqual(expect.objectContaining({ workerId, endReason: 'quarantined' }));
    expect(novita.all().map((each) => each.workerId)).not.toContain(workerId);
    expect(novita.all()).toHaveLength(1);
  });

  test('a lost one is waited for, then replaced', async () => {
    const { workerId, table, minutes, novita, enqueue } = await running();
    await table.workers.markLost(workerId, (await table.workers.get(workerId))!.lastSeenAt);
    await enqueue(1);
    await minutes(4);
    expect(novita.launches).toHaveLength(1);
    await minutes(4);
    expect(novita.all()).toHaveLength(1);
    expect(novita.all()[0]!.workerId).not.toBe(workerId);
  });

  test('one that its provider took back, or that failed there, is replaced', async () => {
    const { workerId, novita, enqueue, minutes, rows, alive } = await running();
    await enqueue(1);
    novita.vanish(workerId);
    await minutes(4);
    expect(rows()).toContainEqual(expect.objectContaining({ workerId, endReason: 'gone' }));
    const [second] = alive();
    novita.set(second!.workerId, { state: 'failed' });
    await minutes(2);
    expect(rows()).toContainEqual(expect.objectContaining({ endReason: 'providerFailed' }));
    expect(alive()).toHaveLength(1);
  });

  test('a list that lags loses nobody: what is missing in it is asked for by its id', async () => {
    const { workerId, novita, minutes, alive } = await running({ idleSeconds: 86_400 });
    novita.hide(workerId);
    await minutes(10);
    expect(alive()).toMatchObject([{ workerId, condition: 'live' }]);
    expect(novita.all()).toHaveLength(1);
  });

  test('before its lease ends it drains and is replaced; after it, it is terminated at work', async () => {
    const { workerId, assign, minutes, novita, table, rows, enqueue } = await running({
      leaseMinutes: 60,
      drainMinutes: 20,
    });
    await assign(workerId, JOB);
    await minutes(38);
    expect((await table.workers.get(workerId))!.condition).toBe('ready');
    await minutes(1);
    expect((await table.workers.get(workerId))!.condition).toBe('draining');
    await enqueue(1);
    await minutes(1);
    expect(novita.all()).toHaveLength(2);
    await minutes(19);
    expect(rows()).toContainEqual(
      expect.objectContaining({ workerId, condition: 'ended', endReason: 'leaseEnd' }),
    );
    expect(novita.all().map((each) => each.workerId)).not.toContain(workerId);
  });
});

test('a pool that fails is told and thrown, after the others were seen to', async () => {
  const { deps, faults, enqueue, novita, codes } = createScalingWorld();
  await enqueue(1);
  faults.fail('instances', 'create', 1);
  await expect(scalePools(deps)).rejects.toMatchObject({ code: 'scaling.incomplete' });
  expect(codes()).toContain('scaling.failed');
  await scalePools(deps);
  expect(novita.launches).toHaveLength(1);
});

test('instances of a pool that is configured no more are told of', async () => {
  const { deps, codes } = await running();
  await scalePools({ ...deps, pools: [] });
  expect(codes()).toContain('scaling.pool-unknown');
});
