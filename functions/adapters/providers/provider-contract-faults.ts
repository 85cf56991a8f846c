/** The part of the contract that is about failure: what each one is taken for, and that none makes two of one. */
import { expect, test } from '@jest/globals';
import type { LaunchRequest, ProviderRefusal, WorkerProvider } from '../../core/providers/worker-provider.ts';
import type { ProviderFault } from './provider-contract-server.ts';
import {
  ENVIRONMENT_SECRET,
  launchRequest,
  until,
  type ContractWorld,
  type ProviderTraits,
} from './provider-contract-support.ts';

/** A fault and what it must be taken for. */
const FAULTS: readonly (readonly [ProviderFault, ProviderRefusal['kind']])[] = [
  ['unauthorized', 'unauthorized'],
  ['forbidden', 'unauthorized'],
  ['rateLimited', 'rateLimited'],
  ['serverError', 'unavailable'],
  ['badGateway', 'unavailable'],
  ['html', 'unavailable'],
  ['badJson', 'unavailable'],
  ['nullJson', 'unavailable'],
  ['wrongShape', 'unavailable'],
  ['redirect', 'unavailable'],
  ['reset', 'unavailable'],
  ['cut', 'unavailable'],
  ['silence', 'unavailable'],
  ['stall', 'unavailable'],
];
const isHeld = (fault: ProviderFault): boolean => fault === 'silence' || fault === 'stall';

type ProviderAnswer = Awaited<ReturnType<WorkerProvider[Method]>>;
type Method = 'launch' | 'get' | 'list' | 'listStage' | 'terminate' | 'logs' | 'products';
const call = (
  provider: WorkerProvider,
  method: Method,
  request: LaunchRequest,
  instanceId: string,
): Promise<ProviderAnswer> => {
  switch (method) {
    case 'launch':
      return provider.launch(request);
    case 'list':
      return provider.list(request.pool);
    case 'listStage':
      return provider.listStage('pool');
    case 'get':
      return provider.get(instanceId);
    case 'terminate':
      return provider.terminate(instanceId);
    case 'logs':
      return provider.logs(instanceId, 10);
    case 'products':
      return provider.products();
  }
};

const expectNoSecret = (answer: unknown, secrets: readonly string[]): void => {
  for (const secret of [...secrets, ENVIRONMENT_SECRET]) {
    expect(JSON.stringify(answer)).not.toContain(secret);
    expect(JSON.stringify(answer)).not.toContain(JSON.stringify(secret).slice(1, -1));
  }
};

/** @param world that of the test which runs */
export const describeFaults = (world: () => ContractWorld, traits: ProviderTraits): void => {
  /** What the call answers to a fault, its deadline included where nothing else would end it. */
  const answerTo = async (fault: ProviderFault, asked: () => Promise<ProviderAnswer>) => {
    const pending = asked();
    if (isHeld(fault)) {
      await until(() => world().fake.server.held() > 0);
      world().clock.elapse();
    }
    const answer = await pending;
    world().fake.server.heal();
    return answer;
  };

  const methods: readonly Method[] = [
    'launch',
    'get',
    'list',
    'terminate',
    ...(traits.logs === 'lines' ? (['logs'] as const) : []),
    ...(traits.products === 'remote' ? (['products'] as const) : []),
  ];

  const cases = methods.flatMap((method) => FAULTS.map(([fault, kind]) => ({ method, fault, kind })));
  test.each(cases)('$method answers $fault with $kind', async ({ method, fault, kind }) => {
    const { provider, fake } = world();
    const { instanceId } = await world().launched();
    fake.server.failNext(fault);
    const request = launchRequest(fake);
    const answer = await answerTo(fault, () => call(provider, method, request, instanceId));
    expect(answer.kind).toBe(kind);
    if (answer.kind === 'rateLimited') expect(answer.retryAfterMs).toBe(7000);
    expectNoSecret(answer, fake.secrets);
    expect(fake.server.redirectsFollowed()).toBe(0);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(fake.running()).toEqual([instanceId]);
    expect((await world().listed()).length).toBe(1);
  });

  const outcomes = FAULTS.flatMap(([fault, kind]) =>
    [true, false].map((takesEffect) => ({ fault, kind, takesEffect })),
  );
  test.each(outcomes)(
    'a launch that ends in $fault (in effect: $takesEffect) and is repeated makes one instance',
    async ({ fault, kind, takesEffect }) => {
      const { provider, fake } = world();
      fake.server.failLaunch(fault, takesEffect);
      const request = launchRequest(fake);
      const answer = await answerTo(fault, () => provider.launch(request));
      expect(answer.kind).toBe(kind);
      expectNoSecret(answer, fake.secrets);
      fake.settle();
      const { instanceId } = await world().launched();
      fake.settle();
      expect(fake.running()).toEqual([instanceId]);
      const instances = await world().listed();
      expect(instances).toMatchObject([{ instanceId, state: 'running' }]);
      expect(fake.server.redirectsFollowed()).toBe(0);
    },
  );

  test('a retry that comes with another lease still finds the first instance', async () => {
    world().fake.server.failLaunch('reset', true);
    expect(await world().provider.launch(launchRequest(world().fake))).toMatchObject({
      kind: 'unavailable',
    });
    const { instanceId } = await world().launched({ leaseUntil: '2026-11-22T12:00:30.000Z' });
    expect(world().fake.running()).toEqual([instanceId]);
  });
};
