import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { LaunchRequest, WorkerProvider } from '../../core/providers/worker-provider.ts';
import { describeProviderContract } from './provider-contract.ts';
import { createContractClock, launchRequest, LEASE } from './provider-contract-support.ts';
import { createRunpodProvider, type RunpodOptions } from './runpod-provider.ts';
import { startRunpodFake, type RunpodFake } from './runpod.fake.ts';

const KEY = 'rpa_0123456789ABCDEF';

const providerOn = (fake: RunpodFake, options: Partial<RunpodOptions> = {}): WorkerProvider =>
  createRunpodProvider({
    apiKey: () => Promise.resolve(KEY),
    baseUrl: fake.baseUrl,
    graphqlUrl: fake.graphqlUrl,
    clock: createContractClock(),
    ...options,
  });

describeProviderContract(
  'RunPod',
  async (clock) => {
    const fake = await startRunpodFake({ apiKey: KEY });
    return { fake, provider: providerOn(fake, { clock }), stop: () => fake.stop() };
  },
  { logs: 'unsupported', products: 'remote', address: true },
);

describe('RunPod', () => {
  let fake: RunpodFake;
  beforeEach(async () => {
    fake = await startRunpodFake({ apiKey: KEY });
  });
  afterEach(() => fake.stop());
  const launch = (changes: Partial<LaunchRequest> = {}, options: Partial<RunpodOptions> = {}) =>
    providerOn(fake, options).launch(launchRequest(fake, changes));
  const noCapacity = (status: number, error: string) => ({
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ error, status }),
  });

  test('one request asks for all products, in our order, without a volume that would go on costing', async () => {
    await launch({ gpuCount: 2 });
    expect(fake.created).toEqual([
      expect.objectContaining({
        computeType: 'GPU',
        gpuTypeIds: fake.products,
        gpuTypePriority: 'custom',
        gpuCount: 2,
        cloudType: 'SECURE',
        containerDiskInGb: 40,
        volumeInGb: 0,
        ports: ['8188/http'],
        interruptible: false,
      }),
    ]);
  });

  test('a request for no GPU asks for CPU flavors', async () => {
    const answer = await launch({ gpuCount: 0, products: ['cpu3c'] });
    expect(answer).toMatchObject({ kind: 'launched', instance: { pricePerHour: 0.06 } });
    expect(fake.created[0]).toMatchObject({ computeType: 'CPU', cpuFlavorIds: ['cpu3c'] });
    expect(fake.created[0]).not.toHaveProperty('gpuTypeIds');
  });

  test('the cloud and the registry are as configured', async () => {
    await launch({}, { cloudType: 'COMMUNITY', containerRegistryAuthId: 'clz1' });
    expect(fake.created[0]).toMatchObject({ cloudType: 'COMMUNITY', containerRegistryAuthId: 'clz1' });
  });

  test('a launched pod tells its price, its proxy address and its times', async () => {
    const answer = await launch();
    expect(answer).toEqual({
      kind: 'launched',
      instance: {
        instanceId: 'pod1xedezhzb9',
        provider: 'runpod',
        pool: 'pool-a',
        workerId: 'worker-1',
        state: 'running',
        launchedAt: '2026-11-22T10:00:00.000Z',
        leaseUntil: LEASE,
        pricePerHour: 0.69,
        address: 'https://pod1xedezhzb9-8188.proxy.runpod.net',
      },
    });
  });

  test.each([
    [500, 'create pod: There are no instances currently available'],
    [500, 'There are no longer any instances available with the requested specifications. Please refresh.'],
    [500, 'This machine does not have the resources to deploy your pod. Please try a different machine'],
    [400, 'There are no longer any instances available with enough disk space.'],
    [200, 'create pod: There are no instances currently available'],
  ])('HTTP %i with «%s» is no capacity', async (status, error) => {
    fake.answerNext({ status: 200, body: '[]' }, noCapacity(status, error));
    expect(await launch()).toMatchObject({ kind: 'noCapacity' });
    expect(fake.running()).toEqual([]);
  });

  test('a 500 that says no capacity although the pod was made is that pod', async () => {
    const made = await launch();
    const pods = JSON.stringify([...fake.pods.values()]);
    fake.answerNext(
      { status: 200, body: '[]' },
      noCapacity(500, 'create pod: There are no instances currently available'),
      { status: 200, body: pods },
    );
    expect(await launch()).toEqual(made);
  });

  test('an answer with another pod is unknown, and what it holds is not repeated', async () => {
    const pod = { id: 'pod9', name: 'not ours', desiredStatus: 'RUNNING', env: { PIN: '12345' } };
    fake.answerNext({ status: 200, body: '[]' }, { status: 201, body: JSON.stringify(pod) });
    const answer = await launch({ environment: { PIN: '12345' } });
    expect(answer).toMatchObject({ kind: 'unavailable' });
    expect(JSON.stringify(answer)).not.toContain('12345');
  });

  test('no capacity that cannot be looked up stays unknown', async () => {
    fake.answerNext(
      { status: 200, body: '[]' },
      noCapacity(500, 'create pod: There are no instances currently available'),
      { status: 502, body: '' },
    );
    expect(await launch()).toMatchObject({ kind: 'unavailable' });
  });

  test('a type that does not exist is rejected, in the words of RunPod', async () => {
    expect(await launch({ products: ['NVIDIA Abacus'] })).toEqual({
      kind: 'rejected',
      message: expect.stringContaining('unknown type id'),
    });
  });

  test.each<[string, Partial<LaunchRequest>]>([
    ['no product', { products: [] }],
    ['a product without a name', { products: [' '] }],
    ['no disk', { diskGb: 0 }],
    ['a lease before all leases', { leaseUntil: '1969-01-01T00:00:00Z' }],
  ])('%s is rejected before anything is asked', async (_, changes) => {
    expect(await launch(changes)).toMatchObject({ kind: 'rejected' });
    expect(fake.server.requests).toEqual([]);
  });

  test('a stopped pod is there and stopped, a terminated one is gone', async () => {
    await launch();
    const [pod] = fake.pods.values();
    pod!.desiredStatus = 'EXITED';
    const provider = providerOn(fake);
    expect(await provider.get(pod!.id)).toMatchObject({ instance: { state: 'stopped', address: null } });
    expect(await launch()).toMatchObject({ kind: 'launched', instance: { state: 'stopped' } });
    pod!.desiredStatus = 'TERMINATED';
    expect(await provider.get(pod!.id)).toEqual({ kind: 'absent' });
    expect(await provider.terminate(pod!.id)).toEqual({ kind: 'absent' });
    expect(await provider.list('pool-a')).toEqual({ kind: 'listed', instances: [] });
  });

  test.each([[undefined], [null], ['dear'], [Number.NaN], [-1], ['']])(
    'a price of %p is an unknown price',
    async (costPerHr) => {
      await launch();
      const [pod] = fake.pods.values();
      pod!.costPerHr = costPerHr;
      expect(await providerOn(fake).get(pod!.id)).toMatchObject({ instance: { pricePerHour: null } });
    },
  );

  test('a pod without an open HTTP port has no address', async () => {
    await launch();
    const [pod] = fake.pods.values();
    for (const ports of [null, [], ['22/tcp']]) {
      pod!.ports = ports;
      expect(await providerOn(fake).get(pod!.id)).toMatchObject({ instance: { address: null } });
    }
  });

  test('a list with one pod that does not read is no list: it could be ours', async () => {
    await launch();
    const answer = { status: 200, body: JSON.stringify([...fake.pods.values(), { name: 'no id' }]) };
    fake.answerNext(answer);
    expect(await providerOn(fake).list('pool-a')).toMatchObject({ kind: 'unavailable' });
    fake.answerNext(answer);
    expect(await launch({ workerId: 'worker-2' })).toMatchObject({ kind: 'unavailable' });
    expect(fake.running()).toHaveLength(1);
  });

  test('products are the GPU types of that cloud', async () => {
    fake.sellOut(['NVIDIA RTX A5000']);
    const secure = await providerOn(fake).products();
    expect(secure).toMatchObject({
      products: expect.arrayContaining([
        { id: 'NVIDIA GeForce RTX 4090', name: 'GeForce RTX 4090', pricePerHour: 0.69, available: true },
        { id: 'NVIDIA RTX A5000', name: 'RTX A5000', pricePerHour: 0.27, available: false },
      ]),
    });
    expect(await providerOn(fake, { cloudType: 'COMMUNITY' }).products()).toMatchObject({
      products: expect.arrayContaining([expect.objectContaining({ pricePerHour: 0.345 })]),
    });
    expect(fake.server.requests.at(-1)?.body).toContain('secureCloud: false');
  });

  test('a GraphQL error is not an empty list of products', async () => {
    fake.answerNext({ status: 200, body: '{"errors":[{"message":"Something went wrong"}],"data":null}' });
    expect(await providerOn(fake).products()).toMatchObject({ kind: 'unavailable' });
  });

  test.each([[''], ['a b'], ['line\nbreak'], ['ключ']])(
    'the key %j is none, and is not sent',
    async (key) => {
      const provider = providerOn(fake, { apiKey: () => Promise.resolve(key) });
      expect(await provider.list('pool-a')).toMatchObject({ kind: 'unauthorized' });
      expect(fake.server.requests).toEqual([]);
    },
  );

  test('a key with a line end, as secret stores have them, works', async () => {
    const provider = providerOn(fake, { apiKey: () => Promise.resolve(`${KEY}\n`) });
    expect(await provider.list('pool-a')).toEqual({ kind: 'listed', instances: [] });
  });

  test('a key that cannot be read is passing trouble, and its error is not repeated', async () => {
    const provider = providerOn(fake, { apiKey: () => Promise.reject(new Error(`denied ${KEY}`)) });
    const answer = await provider.list('pool-a');
    expect(answer).toMatchObject({ kind: 'unavailable' });
    expect(JSON.stringify(answer)).not.toContain(KEY);
  });

  test('a key that never comes ends with the deadline', async () => {
    const clock = createContractClock();
    const provider = providerOn(fake, { clock, apiKey: () => new Promise(() => undefined) });
    const pending = provider.list('pool-a');
    clock.elapse();
    expect(await pending).toMatchObject({ kind: 'unavailable' });
  });

  test('what the container must know is not repeated in a message', async () => {
    const secret = 's3cret-value';
    const body = JSON.stringify({ error: `bad value ${secret} for ${KEY}`, status: 400 });
    fake.answerNext({ status: 200, body: '[]' }, { status: 400, body });
    const answer = await launch({ environment: { TOKEN: secret } });
    expect(answer).toMatchObject({
      kind: 'rejected',
      message: expect.stringContaining('bad value *** for ***'),
    });
  });

  test('no deadline outlives its call', async () => {
    const clock = createContractClock();
    const signals: (AbortSignal | undefined)[] = [];
    const sleep: typeof clock.sleep = (ms, signal) => {
      signals.push(signal);
      return clock.sleep(ms, signal);
    };
    await providerOn(fake, { clock: { ...clock, sleep } }).list('pool-a');
    expect(signals.length).toBeGreaterThan(0);
    expect(signals.every((signal) => signal?.aborted === true)).toBe(true);
  });

  test('calls share one deadline', async () => {
    const clock = createContractClock();
    let now = clock.now();
    const late = { ...clock, now: () => (now += 20_000) };
    expect(await launch({}, { clock: late })).toMatchObject({ kind: 'unavailable' });
    expect(fake.created).toEqual([]);
  });
});
