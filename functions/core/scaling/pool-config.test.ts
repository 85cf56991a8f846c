import { describe, expect, test } from '@jest/globals';
import { commonTags, launchEntries, readPools, tagsOf } from './pool-config.ts';
import { requirePools } from './require-pools.ts';
import { makePool, novitaEntry } from './test-support/fixtures.ts';

const problemsOf = (raw: unknown): readonly string[] => {
  const reading = readPools(JSON.stringify(raw));
  return reading.kind === 'invalid' ? reading.problems : [];
};
const pool = (overrides: Readonly<Record<string, unknown>> = {}) => ({
  name: 'gpu',
  providers: [novitaEntry()],
  max: 4,
  ...overrides,
});

test('no text, or an empty list, is no pool', () => {
  expect(readPools('')).toEqual({ kind: 'ok', pools: [] });
  expect(readPools(' [] ')).toEqual({ kind: 'ok', pools: [] });
});

test('every provider can be configured, and what is left out has its default', () => {
  const pools = requirePools(
    JSON.stringify([
      pool({
        budgetUsdPerDay: 20,
        providers: [
          novitaEntry({ options: { clusterId: 'eu' } }),
          novitaEntry({ provider: 'runpod', id: 'runpod-eu', options: { cloudType: 'SECURE' } }),
          novitaEntry({
            provider: 'ecs',
            products: ['g6'],
            options: {
              cluster: 'gpu',
              subnets: ['subnet-1'],
              products: [{ id: 'g6', taskDefinition: 'comfyui', containerName: 'comfyui' }],
            },
          }),
          {
            provider: 'docker',
            image: 'comfyui:1',
            products: ['gpu'],
            options: { host: 'tcp://127.0.0.1:2375' },
          },
          { provider: 'static' },
        ],
      }),
    ]),
  );
  expect(pools).toHaveLength(1);
  expect(pools[0]).toMatchObject({ min: 0, targetWaitSeconds: 120, idleSeconds: 300, leaseMinutes: 240 });
  expect(launchEntries(pools[0]!).map(({ id }) => id)).toEqual(['novita', 'runpod-eu', 'ecs', 'docker']);
  expect(pools[0]!.providers[0]).toMatchObject({ port: 8188, gpuCount: 1, environment: {} });
  expect(pools[0]!.providers[3]).toMatchObject({ maxPricePerHour: 0 });
});

test.each([
  ['a pool that costs has a budget unless it says otherwise', {}, 25],
  ['null is no limit', { budgetUsdPerDay: null }, null],
  ['nothing a day is a budget, too', { budgetUsdPerDay: 0 }, 0],
  ['what costs nothing needs none', { providers: [novitaEntry({ maxPricePerHour: 0 })] }, null],
  ['nor do pods that announce themselves', { providers: [{ provider: 'static' }] }, null],
])('%s', (_, overrides, budgetUsdPerDay) => {
  expect(requirePools(JSON.stringify([pool(overrides)]))).toMatchObject([{ budgetUsdPerDay }]);
});

describe('what is wrong is told in one line each, naming the field', () => {
  test.each([
    ['no JSON', undefined, 'WORKER_POOLS: must be a JSON list of pools'],
    ['no list', { name: 'gpu' }, 'WORKER_POOLS: must be a JSON list of pools'],
    ['no name', [{ ...pool(), name: undefined }], 'WORKER_POOLS[0].name: is missing, or no text'],
    ['a name that is no name', [pool({ name: 'GPU pool' })], 'WORKER_POOLS[0].name: must be 1–30 of'],
    ['two of one name', [pool(), pool()], 'WORKER_POOLS[1].name: must not be that of [0]'],
    ['min above max', [pool({ min: 5 })], 'WORKER_POOLS[0].min: must be at most max (4)'],
    ['a word that is unknown', [pool({ minn: 5 })], 'WORKER_POOLS[0]: Unrecognized key: "minn"'],
    ['half a worker', [pool({ max: 1.5 })], 'WORKER_POOLS[0].max: must be a whole number'],
    [
      'a negative budget',
      [pool({ budgetUsdPerDay: -1 })],
      'WORKER_POOLS[0].budgetUsdPerDay: must be at least 0',
    ],
    [
      'a lease that the default budget never lets begin',
      [pool({ providers: [novitaEntry({ maxPricePerHour: 7 })] })],
      'WORKER_POOLS[0].budgetUsdPerDay: is needed, in US dollars or null for no limit',
    ],
    [
      'a lease that boot and drain fill',
      [pool({ leaseMinutes: 30 })],
      'WORKER_POOLS[0].leaseMinutes: must be more',
    ],
    ['no provider', [pool({ providers: [] })], 'WORKER_POOLS[0].providers: must have at least one provider'],
    [
      'an unknown provider',
      [pool({ providers: [novitaEntry({ provider: 'acme' })] })],
      'WORKER_POOLS[0].providers[0].provider: must be one of static, docker, ecs, novita, runpod',
    ],
    [
      'the same provider twice',
      [pool({ providers: [novitaEntry(), novitaEntry()] })],
      'WORKER_POOLS[0].providers[1].id: must not be that of providers[0]',
    ],
    [
      'a paid provider without its price',
      [pool({ providers: [novitaEntry({ maxPricePerHour: undefined })] })],
      'WORKER_POOLS[0].providers[0].maxPricePerHour: is needed',
    ],
    [
      'a variable that is ours',
      [pool({ providers: [novitaEntry({ environment: { WORKER_ID: 'x' } })] })],
      'WORKER_POOLS[0].providers[0].environment.WORKER_ID:',
    ],
    [
      'an ECS product that is not defined',
      [
        pool({
          providers: [
            novitaEntry({
              provider: 'ecs',
              products: ['g5'],
              options: {
                cluster: 'gpu',
                products: [{ id: 'g6', taskDefinition: 'comfyui', containerName: 'comfyui' }],
              },
            }),
          ],
        }),
      ],
      'WORKER_POOLS[0].providers[0].products[0]: must be an id of options.products',
    ],
  ])('%s', (_what, raw, line) => {
    const problems = raw === undefined ? readProblems('{') : problemsOf(raw);
    expect(problems).toEqual(expect.arrayContaining([expect.stringContaining(line)]));
  });

  test('all at once, and the function cannot start', () => {
    const raw = JSON.stringify([pool({ min: -1, max: 'many' }), pool({ name: '' })]);
    expect(readProblems(raw)).toHaveLength(3);
    expect(() => requirePools(raw)).toThrow(expect.objectContaining({ code: 'pools.invalid' }));
  });
});

const readProblems = (raw: string): readonly string[] => {
  const reading = readPools(raw);
  return reading.kind === 'invalid' ? reading.problems : [];
};

test('a worker is tagged with its pool and its provider, a task may ask for what all workers of the pool have', () => {
  const mixed = makePool({ tags: ['sdxl'], providers: [novitaEntry(), novitaEntry({ provider: 'runpod' })] });
  expect(tagsOf(mixed, mixed.providers[1]!)).toEqual(['sdxl', 'pool:gpu', 'provider:runpod']);
  expect([...commonTags(mixed)]).toEqual(['sdxl', 'pool:gpu']);
  expect([...commonTags(makePool())]).toEqual(['pool:gpu', 'provider:novita']);
});
