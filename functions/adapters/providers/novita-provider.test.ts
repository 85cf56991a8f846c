import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { LaunchRequest, WorkerProvider } from '../../core/providers/worker-provider.ts';
import { createNovitaProvider, type NovitaOptions } from './novita-provider.ts';
import { readInstanceName } from './novita-runpod-name.ts';
import { startNovitaFake, type NovitaFake } from './novita.fake.ts';
import { describeProviderContract } from './provider-contract.ts';
import { createContractClock, launchRequest, LEASE } from './provider-contract-support.ts';

const KEY = 'sk_0123456789abcdef';

const providerOn = (fake: NovitaFake, options: Partial<NovitaOptions> = {}): WorkerProvider =>
  createNovitaProvider({
    apiKey: () => Promise.resolve(KEY),
    baseUrl: fake.baseUrl,
    clock: createContractClock(),
    ...options,
  });

describeProviderContract('Novita', async (clock) => {
  const fake = await startNovitaFake({ apiKey: KEY });
  return { fake, provider: providerOn(fake, { clock }), stop: () => fake.stop() };
});

describe('Novita', () => {
  let fake: NovitaFake;
  beforeEach(async () => {
    fake = await startNovitaFake({ apiKey: KEY });
  });
  afterEach(() => fake.stop());
  const launch = (changes: Partial<LaunchRequest> = {}, options: Partial<NovitaOptions> = {}) =>
    providerOn(fake, options).launch(launchRequest(fake, changes));
  const idOf = (answer: Awaited<ReturnType<typeof launch>>): string =>
    answer.kind === 'launched' ? answer.instance.instanceId : '';
  const pathsAsked = (): string[] => fake.server.requests.map(({ method, path }) => `${method} ${path}`);

  test('an instance is asked for as documented', async () => {
    await launch({ gpuCount: 2 }, { imageAuthId: 'auth-1', clusterId: 'as-sgp-2' });
    expect(fake.created).toEqual([
      {
        name: expect.stringMatching(/^cw1_pool-a_worker-1_/),
        productId: '4090.16c62g',
        gpuNum: 2,
        rootfsSize: 40,
        imageUrl: 'registry.example/comfyui:1',
        imageAuthId: 'auth-1',
        clusterId: 'as-sgp-2',
        ports: '8188/http',
        envs: expect.arrayContaining([{ key: 'WORKER_ID', value: 'worker-1' }]),
        kind: 'gpu',
        billingMode: 'onDemand',
      },
    ]);
  });

  test('a disk below the least that Novita has is the least', async () => {
    await launch({ diskGb: 1 });
    expect(fake.created[0]).toMatchObject({ rootfsSize: 10 });
  });

  test('the price is that of the product times the GPUs, and stays with the instance', async () => {
    const answer = await launch({ gpuCount: 2 });
    expect(answer).toMatchObject({ instance: { pricePerHour: 0.7, leaseUntil: LEASE, state: 'starting' } });
    expect(readInstanceName(String(fake.created[0]?.['name']))).toMatchObject({ pricePerHour: 0.7 });
    fake.sellOut(fake.products);
    const listed = await providerOn(fake).list('pool-a');
    expect(listed).toMatchObject({ instances: [{ pricePerHour: 0.7 }] });
  });

  test('a product that says it is sold out is not asked for', async () => {
    fake.sellOut([fake.products[0]]);
    expect(await launch()).toMatchObject({ instance: { pricePerHour: 1.6 } });
    expect(pathsAsked().filter((asked) => asked.startsWith('POST'))).toHaveLength(1);
  });

  test('a product that goes in between is passed over', async () => {
    fake.raceFor([fake.products[0]]);
    expect(await launch()).toMatchObject({ kind: 'launched', instance: { pricePerHour: 1.6 } });
    expect(fake.running()).toHaveLength(1);
  });

  test('when all go in between, that is no capacity', async () => {
    fake.raceFor(fake.products);
    expect(await launch()).toMatchObject({ kind: 'noCapacity' });
    expect(fake.running()).toEqual([]);
  });

  test('a product that is unknown is rejected, and the next one is not tried', async () => {
    const answer = await launch({ products: ['no-such', fake.products[0]] });
    expect(answer).toMatchObject({ kind: 'rejected', message: expect.stringContaining('unknown product') });
    expect(fake.running()).toEqual([]);
  });

  test('after an unknown outcome no other product is tried', async () => {
    fake.server.failLaunch('serverError', true);
    expect(await launch()).toMatchObject({ kind: 'unavailable' });
    expect(fake.running()).toHaveLength(1);
  });

  test('an unknown outcome is not no capacity, even if the product goes at that moment', async () => {
    const products = { data: fake.products.map((id) => ({ id, availableDeploy: true })) };
    fake.sellOut([fake.products[0]]);
    fake.answerNext(
      { status: 200, body: '{"instances":[],"total":0}' },
      { status: 200, body: JSON.stringify(products) },
      { status: 500, body: '{"code":500,"reason":"INTERNAL","message":"","metadata":{}}' },
    );
    expect(await launch()).toMatchObject({ kind: 'unavailable' });
    expect(fake.created).toEqual([]);
  });

  test('an id that Novita does not know is absent, in each way that it says so', async () => {
    const provider = providerOn(fake);
    expect(await provider.get('inst9')).toEqual({ kind: 'absent' });
    fake.answerNext({ status: 404, body: '' });
    expect(await provider.get('inst9')).toEqual({ kind: 'absent' });
    const id = idOf(await launch());
    const body = JSON.stringify({ id, name: fake.instances.get(id)!.name, status: 'running' });
    fake.instances.delete(id);
    fake.answerNext({ status: 200, body });
    expect(await provider.terminate(id)).toEqual({ kind: 'absent' });
  });

  test('a product without stock is not available, whatever else it says', async () => {
    const data = [{ id: 'a', name: '', price: '1', availableDeploy: true, inventoryState: 'none' }];
    fake.answerNext({ status: 200, body: JSON.stringify({ data }) });
    expect(await providerOn(fake).products()).toEqual({
      kind: 'products',
      products: [{ id: 'a', name: 'a', pricePerHour: 0.00001, available: false }],
    });
  });

  test('what the container must know is not repeated in a message', async () => {
    const secret = 's3cret-value';
    const message = `bad value ${secret} for ${KEY}`;
    fake.answerNext(
      { status: 200, body: '{"instances":[],"total":0}' },
      { status: 200, body: '{"data":[]}' },
      { status: 400, body: JSON.stringify({ code: 400, reason: 'INVALID_PARAMETER', message }) },
    );
    const answer = await launch({ environment: { TOKEN: secret } });
    expect(answer).toMatchObject({
      kind: 'rejected',
      message: expect.stringContaining('bad value *** for ***'),
    });
  });

  test.each<[string, Partial<LaunchRequest>]>([
    ['no GPU', { gpuCount: 0 }],
    ['nine GPUs', { gpuCount: 9 }],
    ['no product', { products: [] }],
    ['a product without a name', { products: [' '] }],
    ['a product of 256 characters', { products: ['p'.repeat(256)] }],
    ['an image of 501 characters', { image: 'i'.repeat(501) }],
    ['a disk beyond all disks', { diskGb: 6145 }],
    ['a port of Novita itself', { port: 2222 }],
    ['a value of 4096 characters', { environment: { A: 'v'.repeat(4096) } }],
    [
      '100 variables and the worker id',
      { environment: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`V${i}`, ''])) },
    ],
    ['a lease before all leases', { leaseUntil: '1969-01-01T00:00:00Z' }],
  ])('%s is rejected before anything is asked', async (_, changes) => {
    expect(await launch(changes)).toMatchObject({ kind: 'rejected' });
    expect(fake.server.requests).toEqual([]);
  });

  test.each([
    ['toCreate', 'starting'],
    ['pulling', 'starting'],
    ['migrating', 'starting'],
    ['running', 'running'],
    ['toStop', 'stopping'],
    ['freezing', 'stopping'],
    ['removing', 'stopping'],
    ['exited', 'stopped'],
    ['constructor', 'starting'],
  ])('the status %s is %s', async (status, state) => {
    const id = idOf(await launch());
    fake.instances.get(id)!.status = status;
    expect(await providerOn(fake).get(id)).toMatchObject({ instance: { state } });
    expect(await providerOn(fake).list('pool-a')).toMatchObject({ instances: [{ state }] });
  });

  test('an instance that could not be made has failed, one that runs has not', async () => {
    const id = idOf(await launch());
    fake.instances.get(id)!.statusError = { state: 'pulling', message: 'no such image' };
    fake.instances.get(id)!.status = 'pulling';
    expect(await providerOn(fake).get(id)).toMatchObject({ instance: { state: 'failed' } });
    fake.instances.get(id)!.status = 'running';
    expect(await providerOn(fake).get(id)).toMatchObject({ instance: { state: 'running' } });
  });

  test('a removed instance is no instance, though Novita still tells of it', async () => {
    const id = idOf(await launch());
    const provider = providerOn(fake);
    fake.instances.get(id)!.status = 'removed';
    expect(await provider.get(id)).toEqual({ kind: 'absent' });
    expect(await provider.terminate(id)).toEqual({ kind: 'absent' });
    expect(await provider.list('pool-a')).toEqual({ kind: 'listed', instances: [] });
    expect(idOf(await launch())).not.toBe(id);
  });

  test('what is being removed is not removed twice', async () => {
    const id = idOf(await launch());
    const provider = providerOn(fake);
    await provider.terminate(id);
    expect(await provider.terminate(id)).toEqual({ kind: 'terminated' });
    expect(pathsAsked().filter((asked) => asked.endsWith('/delete'))).toHaveLength(1);
  });

  test('what cannot be deleted while it runs is stopped, and deleted by the next call', async () => {
    fake.refuseToDeleteRunning();
    const id = idOf(await launch());
    fake.settle();
    const provider = providerOn(fake);
    expect(await provider.terminate(id)).toMatchObject({ kind: 'unavailable' });
    expect(fake.instances.get(id)?.status).toBe('toStop');
    fake.settle();
    expect(await provider.terminate(id)).toEqual({ kind: 'terminated' });
    fake.settle();
    expect(fake.running()).toEqual([]);
  });

  test('a list asks for an address once, and no more when it is known', async () => {
    await launch();
    fake.settle();
    const provider = providerOn(fake);
    const address = 'https://inst1f3a9-8188.us-01.gpu-instance.novita.ai';
    expect(await provider.list('pool-a')).toMatchObject({ instances: [{ address }] });
    expect(await provider.list('pool-a')).toMatchObject({ instances: [{ address }] });
    expect(pathsAsked().filter((asked) => asked.includes('instanceId='))).toHaveLength(1);
  });

  test('an instance whose address cannot be learned is listed without it', async () => {
    const id = idOf(await launch());
    fake.settle();
    const body = await fetch(`${fake.baseUrl}/gpu/instances?pageSize=9&pageNum=0`, {
      headers: { authorization: `Bearer ${KEY}` },
    }).then((answer) => answer.text());
    fake.answerNext({ status: 200, body }, { status: 503 });
    expect(await providerOn(fake).list('pool-a')).toMatchObject({
      instances: [{ instanceId: id, state: 'running', address: null }],
    });
  });

  test.each([
    ['ftp://x', null],
    ['', null],
    ['host name', null],
    ['pod.example:8188', 'https://pod.example:8188'],
    ['https://pod.example/', 'https://pod.example'],
    ['http://pod.example', 'http://pod.example'],
  ])('the endpoint %j is the address %j', async (endpoint, address) => {
    const id = idOf(await launch());
    const { name } = fake.instances.get(id)!;
    const portMappings = [
      { port: 22, type: 'tcp', endpoint: 'ssh.example:2201' },
      { port: 8188, type: 'http', endpoint },
    ];
    fake.answerNext({ status: 200, body: JSON.stringify({ id, name, status: 'running', portMappings }) });
    expect(await providerOn(fake).get(id)).toMatchObject({ instance: { address } });
  });

  test.each(['file:///etc/passwd', 'ftp://x/y', 'not an address', ''])(
    'a log at %j is not read',
    async (instanceLogAddress) => {
      const id = idOf(await launch());
      const { name } = fake.instances.get(id)!;
      const told = { id, name, status: 'running', connectComponentLog: { instanceLogAddress } };
      fake.answerNext({ status: 200, body: JSON.stringify(told) });
      expect(await providerOn(fake).logs(id, 5)).toEqual({ kind: 'logs', lines: [] });
    },
  );

  test('the log is asked for without the key, and to end', async () => {
    const id = idOf(await launch());
    fake.settle();
    fake.writeLog?.(id, ['one', 'two', '', 'four']);
    expect(await providerOn(fake).logs(id, 3)).toEqual({ kind: 'logs', lines: ['two', '', 'four'] });
    const asked = fake.server.requests.at(-1);
    expect(asked?.path).toBe(`/logs/${id}?part=instance&follow=0&sse=0&tail=3`);
    expect(asked?.headers.authorization).toBeUndefined();
    expect(await providerOn(fake).logs(id, 0)).toEqual({ kind: 'logs', lines: [] });
  });

  test('prices are dollars, and what is not sold by the hour has none', async () => {
    fake.sellOut(['A100-80GB.14c240g']);
    expect(await providerOn(fake).products()).toEqual({
      kind: 'products',
      products: [
        { id: '4090.16c62g', name: 'RTX 4090 24GB', pricePerHour: 0.35, available: true },
        { id: 'A100-80GB.14c240g', name: 'A100 SXM 80GB', pricePerHour: 1.6, available: false },
        { id: 'monthly-only', name: 'H100', pricePerHour: null, available: true },
      ],
    });
  });

  test('a list with one instance that does not read is no list: it could be ours', async () => {
    fake.answerNext({ status: 200, body: '{"instances":[{"name":"no id"}],"total":1}' });
    expect(await launch()).toMatchObject({ kind: 'unavailable' });
    expect(fake.running()).toEqual([]);
  });
});

describe('pages of Novita', () => {
  const ways = ([0, 1] as const).flatMap((firstPage) =>
    [true, false].flatMap((tellsTotal) => [0, 1, 2, 3, 7].map((count) => ({ firstPage, tellsTotal, count }))),
  );
  test.each(ways)(
    'all $count are found, when the first page is $firstPage and the total is told: $tellsTotal',
    async ({ firstPage, tellsTotal, count }) => {
      const fake = await startNovitaFake({ apiKey: KEY, maxPageSize: 2, firstPage, tellsTotal });
      try {
        const ids = Array.from({ length: count }, (_, i) =>
          fake.addNamed(`cw1_pool-a_w${i}_1_2_-`, 'exited'),
        );
        const answer = await providerOn(fake).list('pool-a');
        const instances = answer.kind === 'listed' ? answer.instances : [];
        expect(answer.kind).toBe('listed');
        expect(instances.map(({ instanceId }) => instanceId)).toEqual(ids);
      } finally {
        await fake.stop();
      }
    },
  );

  test('an empty page 0 is not the end', async () => {
    const fake = await startNovitaFake({ apiKey: KEY, tellsTotal: false });
    try {
      const id = fake.addNamed('cw1_pool-a_w_1_2_-', 'exited');
      fake.answerNext({ status: 200, body: '{"instances":[]}' });
      expect(await providerOn(fake).list('pool-a')).toMatchObject({ instances: [{ instanceId: id }] });
    } finally {
      await fake.stop();
    }
  });

  test('more pages than anyone has are no list', async () => {
    const fake = await startNovitaFake({ apiKey: KEY, maxPageSize: 1 });
    try {
      for (let i = 0; i < 30; i += 1) fake.addNamed(`cw1_pool-a_w${i}_1_2_-`, 'exited');
      expect(await providerOn(fake).list('pool-a')).toMatchObject({ kind: 'unavailable' });
    } finally {
      await fake.stop();
    }
  });
});
