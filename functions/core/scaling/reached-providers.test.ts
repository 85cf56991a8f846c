import { describe, expect, test } from '@jest/globals';
import { readReached, stageProblems } from './reached-providers.ts';
import { novitaEntry } from './test-support/fixtures.ts';

const ecsEntry = novitaEntry({
  provider: 'ecs',
  products: ['g6'],
  options: { cluster: 'gpus', products: [{ id: 'g6', taskDefinition: 'comfyui', containerName: 'comfyui' }] },
});
const pool = (...providers: readonly unknown[]) => ({ name: 'gpu', providers, max: 4 });
const rawOf = (pools: unknown, providers: unknown) => ({
  pools: JSON.stringify(pools),
  providers: JSON.stringify(providers),
});
const idsOf = (pools: unknown, providers: unknown) => [
  ...readReached(rawOf(pools, providers)).reached.keys(),
];

describe('what is reached', () => {
  test('is what pools name and what the list names, each once', () => {
    const pools = [
      pool(novitaEntry(), ecsEntry, { provider: 'static' }),
      { ...pool(novitaEntry({ options: { clusterId: 'eu' } })), name: 'other' },
    ];
    const list = [{ provider: 'novita' }, { provider: 'runpod', apiKeySecret: 'second' }];
    expect(idsOf(pools, list).sort()).toEqual(['ecs/gpus', 'novita', 'runpod/second']);
  });

  test('stays when the last pool is gone', () => {
    expect(idsOf([], [{ provider: 'novita' }, { provider: 'ecs', cluster: 'gpus' }])).toEqual([
      'novita',
      'ecs/gpus',
    ]);
    expect(readReached({ pools: '', providers: '' })).toEqual({ reached: new Map(), problems: [] });
  });

  test.each([
    [[{ ...pool(novitaEntry()), max: 'many' }], [{ provider: 'runpod' }], 'runpod', 'WORKER_POOLS[0].max:'],
    [[pool(novitaEntry())], [{ provider: 'ecs' }], 'novita', 'WORKER_PROVIDERS[0].cluster: is missing'],
    [[pool(novitaEntry())], { provider: 'ecs' }, 'novita', 'WORKER_PROVIDERS: must be a JSON list'],
  ])('does not depend on what else is wrong, which is told: %j', (pools, list, reached, line) => {
    const reading = readReached(rawOf(pools, list));
    expect([...reading.reached.keys()]).toEqual([reached]);
    expect(reading.problems).toEqual([expect.stringContaining(line)]);
  });
});

describe('a stage', () => {
  const problemsOf = (pools: unknown, list: unknown) => stageProblems(rawOf(pools, list));

  test('has every provider of its pools in the list, and may have more', () => {
    const list = [{ provider: 'novita' }, { provider: 'ecs', cluster: 'gpus' }, { provider: 'runpod' }];
    expect(problemsOf([pool(novitaEntry(), ecsEntry, { provider: 'static' })], list)).toEqual([]);
    expect(problemsOf([], [])).toEqual([]);
  });

  test.each([
    [novitaEntry(), [], "add { provider: 'novita' } to workerProviders"],
    [
      ecsEntry,
      [{ provider: 'ecs', cluster: 'old' }],
      "add { provider: 'ecs', cluster: 'gpus' } to workerProviders",
    ],
    [
      novitaEntry({ options: { apiKeySecret: 'second' } }),
      [{ provider: 'novita' }],
      "add { provider: 'novita', apiKeySecret: 'second' } to workerProviders",
    ],
  ])('is refused in one line that says what to add: %j', (entry, list, hint) => {
    const [problem, ...others] = problemsOf([pool(entry)], list);
    expect(problem).toContain('WORKER_POOLS[0].providers[0]: ');
    expect(problem).toContain(hint);
    expect(problem).not.toContain('\n');
    expect(others).toEqual([]);
  });
});
