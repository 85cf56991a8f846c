import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Clock } from '../../core/ports.ts';
import type { LaunchRequest, WorkerProvider } from '../../core/providers/worker-provider.ts';
import { startFakeDocker, type FakeDocker } from './docker-engine.fake.ts';
import { createDockerProvider, type DockerProviderOptions } from './docker-provider.ts';
import { createContractClock, launchRequest, until, type ProviderFake } from './provider-contract-support.ts';
import { describeProviderContract } from './provider-contract.ts';

const PROXY_KEY = 'proxy-key-7f3a9c';
const REGISTRY_KEY = 'cmVnaXN0cnkta2V5';
const PLACES = [
  { id: 'gpu-0', name: 'first GPU', deviceIds: ['0'], slots: 50, pricePerHour: 0.1 },
  { id: 'gpu-1', deviceIds: ['1'], slots: 50 },
];

const providerOn = (docker: FakeDocker, clock: Clock, options: DockerProviderOptions = {}): WorkerProvider =>
  createDockerProvider({
    host: docker.host,
    headers: { authorization: `Bearer ${PROXY_KEY}` },
    registryAuth: REGISTRY_KEY,
    products: PLACES,
    clock,
    ...options,
  });

const fakeOf = (docker: FakeDocker): ProviderFake => ({
  server: docker.server,
  products: ['gpu-0', 'gpu-1'],
  secrets: [PROXY_KEY, REGISTRY_KEY],
  sellOut: (products) => {
    docker.busyDevices.clear();
    for (const product of products) docker.busyDevices.add(product.slice('gpu-'.length));
  },
  running: () =>
    [...docker.containers.values()].filter(({ status }) => status !== 'exited').map(({ name }) => name),
  environmentOf: (name) =>
    Object.fromEntries(
      (docker.containers.get(name)?.body.Env ?? []).map((entry) => {
        const at = entry.indexOf('=');
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
    ),
  addForeign: () => docker.addContainer('comfyui-pipeline.pool-a.handmade', {}).name,
  settle: () => undefined,
  writeLog: (name, lines) => {
    const container = docker.containers.get(name);
    if (container !== undefined) container.log = lines;
  },
});

describeProviderContract('Docker', async (clock) => {
  const docker = await startFakeDocker();
  return { provider: providerOn(docker, clock), fake: fakeOf(docker), stop: () => docker.stop() };
});

describe('the Docker provider', () => {
  const clock = createContractClock();
  let docker: FakeDocker;
  beforeEach(async () => {
    docker = await startFakeDocker();
  });
  afterEach(() => docker.stop());
  const request = (changes: Partial<LaunchRequest> = {}) => launchRequest(fakeOf(docker), changes);
  const bodyOf = (name: string) => docker.containers.get(name)?.body;
  const NAME = 'comfyui-pipeline.pool-a.worker-1';

  test('publishes on loopback only, gives the place its GPUs, and does not come back after its end', async () => {
    const answer = await providerOn(docker, clock).launch(request());
    expect(answer).toEqual({
      kind: 'launched',
      instance: {
        instanceId: NAME,
        provider: 'docker',
        pool: 'pool-a',
        workerId: 'worker-1',
        state: 'running',
        launchedAt: '2026-11-22T10:00:00.000Z',
        leaseUntil: '2026-11-22T12:00:00.000Z',
        pricePerHour: 0.1,
        address: 'http://127.0.0.1:49153',
      },
    });
    expect(bodyOf(NAME)?.HostConfig).toMatchObject({
      PortBindings: { '8188/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      DeviceRequests: [{ Driver: '', DeviceIDs: ['0'], Capabilities: [['gpu']] }],
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      AutoRemove: false,
    });
  });

  test('asks for as many GPUs as wanted where the place names none, and for none where none are', async () => {
    const provider = providerOn(docker, clock, { products: [{ id: 'any', slots: 9 }] });
    await provider.launch(request({ products: ['any'], gpuCount: 2 }));
    await provider.launch(request({ products: ['any'], gpuCount: 0, workerId: 'worker-2' }));
    const bodies = [...docker.containers.values()].map(({ body }) => body.HostConfig.DeviceRequests);
    expect(bodies).toEqual([[{ Driver: '', Count: 2, Capabilities: [['gpu']] }], []]);
  });

  test('a place holds as many as it has slots, whichever pool they are of, however they come at once', async () => {
    const products = [
      { id: 'gpu-0', slots: 1 },
      { id: 'gpu-1', slots: 1 },
    ];
    const provider = providerOn(docker, clock, { products });
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((workerId) => provider.launch(request({ workerId, pool: `pool-${workerId}` }))),
    );
    expect(answers.map(({ kind }) => kind).sort()).toEqual(['launched', 'launched', 'noCapacity']);
    const offered = await provider.products();
    expect(offered).toMatchObject({ products: [{ available: false }, { available: false }] });
    const [first] = docker.containers.values();
    if (first !== undefined) first.status = 'exited';
    expect((await provider.launch(request({ workerId: 'd' }))).kind).toBe('launched');
  });

  test('a place with fewer GPUs than asked for, and one that is not there, are no capacity', async () => {
    const provider = providerOn(docker, clock);
    expect((await provider.launch(request({ gpuCount: 2 }))).kind).toBe('noCapacity');
    expect((await provider.launch(request({ products: ['H100'] }))).kind).toBe('noCapacity');
    expect(docker.containers.size).toBe(0);
  });

  test('one worker launched twice at once is one container', async () => {
    const [one, two] = [providerOn(docker, clock), providerOn(docker, clock)];
    const answers = await Promise.all([one.launch(request()), two.launch(request())]);
    expect([...docker.containers.keys()]).toEqual([NAME]);
    expect(answers.map(({ kind }) => kind)).toEqual(['launched', 'launched']);
  });

  test('a container of our name that is not ours is neither taken nor touched', async () => {
    docker.addContainer(NAME, {});
    expect((await providerOn(docker, clock).launch(request())).kind).toBe('rejected');
    expect(docker.containers.get(NAME)?.status).toBe('running');
  });

  test('a missing image is pulled behind the answer, and the worker starts when it is there', async () => {
    docker.pullable.add('registry.example:5000/team/comfyui:2');
    const provider = providerOn(docker, clock);
    const image = 'registry.example:5000/team/comfyui:2';
    const answer = await provider.launch(request({ image }));
    expect(answer).toMatchObject({
      kind: 'launched',
      instance: { instanceId: NAME, state: 'starting', leaseUntil: '2026-11-22T12:00:00.000Z' },
    });
    await until(() => docker.containers.get(NAME)?.status === 'running');
    expect(await provider.get(NAME)).toMatchObject({ instance: { state: 'running' } });
    const pull = docker.server.requests.find(({ path }) => path.includes('/images/create'));
    expect(pull?.headers['x-registry-auth']).toBe(REGISTRY_KEY);
    expect(pull?.path).toContain('fromImage=registry.example%3A5000%2Fteam%2Fcomfyui&tag=2');
  });

  test('while it is pulled it is listed, holds its place, is launched once, and can be given up', async () => {
    const provider = providerOn(docker, clock, { products: [{ id: 'gpu-0' }] });
    const asked = request({ image: 'registry.example/large:1', products: ['gpu-0'] });
    await holdPull(docker, () => provider.launch(asked));
    expect(await provider.launch(asked)).toMatchObject({ instance: { state: 'starting' } });
    expect(await provider.launch({ ...asked, workerId: 'worker-2' })).toMatchObject({ kind: 'noCapacity' });
    expect(await provider.list('pool-a')).toMatchObject({ instances: [{ workerId: 'worker-1' }] });
    expect(await provider.get(NAME)).toMatchObject({ instance: { state: 'starting' } });
    expect(await provider.logs(NAME, 5)).toEqual({ kind: 'logs', lines: ['the image is being pulled'] });
    expect(await provider.terminate(NAME)).toEqual({ kind: 'terminated' });
    await until(() => docker.server.held() === 0);
    expect(await provider.list('pool-a')).toEqual({ kind: 'listed', instances: [] });
    expect(await provider.terminate(NAME)).toEqual({ kind: 'absent' });
  });

  test('a pull that fails says why, and frees its place', async () => {
    const provider = providerOn(docker, clock, { products: [{ id: 'gpu-0' }] });
    await provider.launch(request({ image: 'registry.example/none', products: ['gpu-0'] }));
    let state = '';
    while (state !== 'failed') {
      const found = await provider.get(NAME);
      state = found.kind === 'found' ? found.instance.state : found.kind;
    }
    const logs = await provider.logs(NAME, 5);
    expect(logs).toMatchObject({
      lines: [expect.stringContaining('no such image: registry.example/none:latest')],
    });
    const next = request({ products: ['gpu-0'], workerId: 'worker-2' });
    expect((await provider.launch(next)).kind).toBe('launched');
    expect(await provider.terminate(NAME)).toEqual({ kind: 'terminated' });
  });

  test('its signal ends a pull that still goes on', async () => {
    const stop = new AbortController();
    const provider = providerOn(docker, clock, { signal: stop.signal });
    await holdPull(docker, () => provider.launch(request({ image: 'registry.example/large:1' })));
    stop.abort();
    await until(() => docker.server.held() === 0);
    expect(await provider.get(NAME)).toEqual({ kind: 'absent' });
  });

  test.each(['reset', 'serverError', 'html', 'redirect', 'badGateway'] as const)(
    'a start that ends in %s is unknown, and the next launch starts the same container',
    async (fault) => {
      const provider = providerOn(docker, clock);
      docker.server.failPath('/start', fault);
      expect((await provider.launch(request())).kind).toBe('unavailable');
      expect(docker.containers.get(NAME)?.status).toBe('created');
      expect(await provider.launch(request())).toMatchObject({ instance: { state: 'running' } });
      expect(docker.containers.size).toBe(1);
    },
  );

  test('a container that got no GPU, and was not removed for an error, goes to the next place later', async () => {
    const provider = providerOn(docker, clock);
    docker.busyDevices.add('0');
    docker.server.failPath('force=true', 'serverError');
    expect((await provider.launch(request())).kind).toBe('unavailable');
    expect(docker.containers.get(NAME)?.status).toBe('created');
    expect(await provider.launch(request())).toMatchObject({
      kind: 'launched',
      instance: { state: 'running' },
    });
    expect(bodyOf(NAME)?.HostConfig.DeviceRequests).toMatchObject([{ DeviceIDs: ['1'] }]);
  });

  test.each(['/stop', 'force=true'])(
    'a terminate that fails at %s is unknown, and ends it when it is repeated',
    async (part) => {
      const provider = providerOn(docker, clock);
      await provider.launch(request());
      docker.server.failPath(part, 'reset');
      expect((await provider.terminate(NAME)).kind).toBe('unavailable');
      expect(docker.containers.size).toBe(1);
      expect(await provider.terminate(NAME)).toEqual({ kind: 'terminated' });
      expect(docker.containers.size).toBe(0);
    },
  );

  test.each([
    ['registry.example/a/b', 'registry.example/a/b', 'latest'],
    ['registry.example:5000/a', 'registry.example:5000/a', 'latest'],
    ['a:1', 'a', '1'],
    ['r.example/a@sha256:0123', 'r.example/a', 'sha256:0123'],
  ])('the image %s is pulled as %s, %s, and never with all its tags', async (image, name, tag) => {
    await providerOn(docker, clock).launch(request({ image }));
    const isPull = ({ path }: { path: string }): boolean => path.includes('/images/create');
    await until(() => docker.server.requests.some(isPull));
    const query = new URL(docker.server.requests.find(isPull)?.path ?? '', 'http://docker').searchParams;
    expect([query.get('fromImage'), query.get('tag')]).toEqual([name, tag]);
  });

  test('a lease that does not read is over since the container was made', async () => {
    const labels = {
      'comfyui-pipeline.pool': 'pool-a',
      'comfyui-pipeline.worker-id': 'worker-1',
      'comfyui-pipeline.lease-until': 'for ever',
    };
    docker.addContainer(NAME, { Labels: labels });
    const listing = await providerOn(docker, clock).list('pool-a');
    expect(listing).toMatchObject({ instances: [{ leaseUntil: '2026-11-22T10:00:01.000Z' }] });
  });

  test('a container that has ended is stopped, and no address is told', async () => {
    const provider = providerOn(docker, clock);
    await provider.launch(request());
    const container = docker.containers.get(NAME);
    for (const [status, state] of [
      ['exited', 'stopped'],
      ['paused', 'stopped'],
      ['dead', 'failed'],
    ] as const) {
      if (container !== undefined) container.status = status;
      expect(await provider.get(NAME)).toMatchObject({ instance: { state, address: null } });
    }
  });

  test('an engine that is not there is unavailable', async () => {
    const provider = createDockerProvider({ host: 'unix:///nonexistent/docker.sock', clock });
    expect(await provider.list('pool-a')).toMatchObject({ kind: 'unavailable' });
    expect((await provider.launch(request())).kind).toBe('unavailable');
  });

  test('an engine over TCP is asked at its address', async () => {
    const provider = createDockerProvider({ host: 'tcp://127.0.0.1:9', clock });
    expect(await provider.list('pool-a')).toMatchObject({ kind: 'unavailable' });
  });
});

/** Launches what must be pulled, and has the engine hold the pull. */
const holdPull = async (docker: FakeDocker, launch: () => Promise<unknown>): Promise<void> => {
  docker.server.failPath('/images/create', 'silence');
  await launch();
  await until(() => docker.server.held() === 1);
};
