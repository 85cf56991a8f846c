import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Clock } from '../../core/ports.ts';
import type { LaunchRequest, WorkerProvider } from '../../core/providers/worker-provider.ts';
import { createEcsProvider, type EcsProviderOptions } from './ecs-provider.ts';
import { startFakeEcs, type FakeEcs } from './ecs-server.fake.ts';
import { createContractClock, launchRequest, type ProviderFake } from './provider-contract-support.ts';
import { describeProviderContract } from './provider-contract.ts';

const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLEKEY',
  AWS_SECRET_ACCESS_KEY: 'secret/example+key',
  AWS_SESSION_TOKEN: 'session-token/example==',
  AWS_REGION: 'eu-west-1',
};
const before = { ...process.env };
beforeEach(() => void Object.assign(process.env, CREDENTIALS));
afterEach(() => {
  for (const name of Object.keys(CREDENTIALS)) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
});

const PRODUCTS: EcsProviderOptions['products'] = [
  {
    id: 'g6',
    taskDefinition: 'comfyui-g6',
    containerName: 'comfyui',
    capacityProvider: 'g6-spot',
    pricePerHour: 0.5,
  },
  { id: 'g5', name: 'A10G', taskDefinition: 'comfyui-g5:7', containerName: 'comfyui', launchType: 'EC2' },
];

const providerOn = (ecs: FakeEcs, clock: Clock, options: Partial<EcsProviderOptions> = {}): WorkerProvider =>
  createEcsProvider({ cluster: 'gpu', products: PRODUCTS, endpoint: ecs.server.url, clock, ...options });

const definitionOf = (product: string): string =>
  PRODUCTS.find(({ id }) => id === product)?.taskDefinition ?? '';

const fakeOf = (ecs: FakeEcs): ProviderFake => ({
  server: ecs.server,
  products: ['g6', 'g5'],
  secrets: [CREDENTIALS.AWS_SECRET_ACCESS_KEY, CREDENTIALS.AWS_SESSION_TOKEN, CREDENTIALS.AWS_ACCESS_KEY_ID],
  sellOut: (products) => {
    ecs.full.clear();
    for (const product of products) ecs.full.set(definitionOf(product), 'RESOURCE:GPU');
  },
  running: () => ecs.tasks.filter(({ lastStatus }) => lastStatus !== 'STOPPED').map(({ taskArn }) => taskArn),
  environmentOf: (arn) => {
    const task = ecs.tasks.find(({ taskArn }) => taskArn === arn);
    const [container] = task?.asked.overrides?.containerOverrides ?? [];
    return Object.fromEntries((container?.environment ?? []).map(({ name, value }) => [name, value]));
  },
  addForeign: () => ecs.addTask({ startedBy: 'comfyui-pipeline/pool-a' }).taskArn,
  settle: () => {
    for (const task of ecs.tasks) task.lastStatus = task.desiredStatus;
  },
});

describeProviderContract(
  'ECS',
  async (clock) => {
    const ecs = await startFakeEcs();
    return { provider: providerOn(ecs, clock), fake: fakeOf(ecs), stop: () => ecs.stop() };
  },
  { logs: 'unsupported', products: 'local', address: true },
);

describe('the ECS provider', () => {
  const clock = createContractClock();
  let ecs: FakeEcs;
  beforeEach(async () => {
    ecs = await startFakeEcs();
  });
  afterEach(() => ecs.stop());
  const request = (changes: Partial<LaunchRequest> = {}) => launchRequest(fakeOf(ecs), changes);

  test('asks for the task of the product, where it shall run, with its GPUs and its marks', async () => {
    const provider = providerOn(ecs, clock, { subnets: ['subnet-1'], securityGroups: ['sg-1'] });
    const answer = await provider.launch(request({ gpuCount: 2 }));
    expect(answer).toMatchObject({ instance: { state: 'starting', pricePerHour: 0.5, address: null } });
    expect(ecs.tasks[0]?.asked).toMatchObject({
      cluster: 'gpu',
      taskDefinition: 'comfyui-g6',
      count: 1,
      startedBy: 'comfyui-pipeline/pool-a',
      clientToken: expect.stringMatching(/^[0-9a-f]{64}$/),
      capacityProviderStrategy: [{ capacityProvider: 'g6-spot', weight: 1 }],
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: ['subnet-1'],
          securityGroups: ['sg-1'],
          assignPublicIp: 'DISABLED',
        },
      },
      overrides: {
        containerOverrides: [{ name: 'comfyui', resourceRequirements: [{ type: 'GPU', value: '2' }] }],
      },
      tags: expect.arrayContaining([
        { key: 'comfyui-pipeline:lease-until', value: '2026-11-22T12:00:00.000Z' },
      ]),
    });
    expect(ecs.tasks[0]?.asked).not.toHaveProperty('launchType');
  });

  test('without a GPU asks for none, and on Fargate for the disk, within what Fargate gives', async () => {
    const [first] = PRODUCTS;
    if (first === undefined) throw new Error('no product');
    const provider = providerOn(ecs, clock, { products: [{ ...first, capacityProvider: 'FARGATE_SPOT' }] });
    await provider.launch(request({ gpuCount: 0, diskGb: 500 }));
    const overrides = ecs.tasks[0]?.asked.overrides;
    expect(overrides?.ephemeralStorage).toEqual({ sizeInGiB: 200 });
    expect(overrides?.containerOverrides?.[0]).not.toHaveProperty('resourceRequirements');
  });

  test('where it runs its address is its private one, with the port of ComfyUI', async () => {
    const provider = providerOn(ecs, clock);
    await provider.launch(request({ port: 9000 }));
    fakeOf(ecs).settle();
    expect(await provider.list('pool-a')).toMatchObject({ instances: [{ address: 'http://10.0.0.7:9000' }] });
  });

  test.each([
    ['RESOURCE:MEMORY', 'noCapacity'],
    ['RESOURCE:ENI', 'noCapacity'],
    ['AGENT', 'noCapacity'],
    ['ATTRIBUTE', 'noCapacity'],
    ['Capacity is unavailable at this time. Please try again later', 'noCapacity'],
    ['No Container Instances were found in your cluster.', 'noCapacity'],
    ['MISSING', 'rejected'],
    ['The specified task definition is inactive', 'rejected'],
  ])('a task that is not started for %j is %s', async (reason, kind) => {
    ecs.full.set('comfyui-g6', reason);
    expect((await providerOn(ecs, clock).launch(request({ products: ['g6'] }))).kind).toBe(kind);
  });

  test('a product that nobody configured is no capacity, and nothing is run', async () => {
    expect((await providerOn(ecs, clock).launch(request({ products: ['H100'] }))).kind).toBe('noCapacity');
    expect(ecs.tasks).toEqual([]);
  });

  test('a task that the list does not show yet is still not run twice', async () => {
    const provider = providerOn(ecs, clock);
    await provider.launch(request());
    ecs.unlisted.add(ecs.tasks[0]?.taskArn ?? '');
    const again = await provider.launch(request({ leaseUntil: '2026-11-22T13:00:00.000Z' }));
    expect(again).toMatchObject({
      kind: 'launched',
      instance: { instanceId: ecs.tasks[0]?.taskArn, leaseUntil: '2026-11-22T12:00:00.000Z' },
    });
    expect(ecs.tasks.length).toBe(1);
  });

  test('one worker launched twice at once is one task', async () => {
    const provider = providerOn(ecs, clock);
    const answers = await Promise.all([provider.launch(request()), provider.launch(request())]);
    expect(answers.map(({ kind }) => kind)).toEqual(['launched', 'launched']);
    expect(ecs.tasks.length).toBe(1);
  });

  test('a list of several pages is listed whole', async () => {
    const provider = providerOn(ecs, clock);
    for (const workerId of ['a', 'b', 'c', 'd', 'e']) await provider.launch(request({ workerId }));
    const listing = await provider.list('pool-a');
    expect(listing.kind === 'listed' ? listing.instances.length : listing).toBe(5);
  });

  test('a task that did not start has failed, and one that is being stopped is stopping', async () => {
    const provider = providerOn(ecs, clock);
    await provider.launch(request());
    const [task] = ecs.tasks;
    if (task === undefined) throw new Error('no task');
    task.desiredStatus = 'STOPPED';
    expect(await provider.get(task.taskArn)).toMatchObject({ instance: { state: 'stopping' } });
    Object.assign(task, { lastStatus: 'STOPPED', stopCode: 'TaskFailedToStart' });
    expect(await provider.get(task.taskArn)).toMatchObject({ instance: { state: 'failed' } });
    expect(await provider.terminate(task.taskArn)).toEqual({ kind: 'absent' });
  });

  test('a task that is gone by the time it shall be stopped is absent', async () => {
    const provider = providerOn(ecs, clock);
    await provider.launch(request());
    const arn = ecs.tasks[0]?.taskArn ?? '';
    ecs.vanishing.add(arn);
    expect(await provider.terminate(arn)).toEqual({ kind: 'absent' });
  });

  test('without credentials a person must act', async () => {
    Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true' });
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
      delete process.env[name];
    }
    Object.assign(process.env, {
      AWS_CONFIG_FILE: '/nonexistent',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    });
    expect((await providerOn(ecs, clock).list('pool-a')).kind).toBe('unauthorized');
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_EC2_METADATA_DISABLED']) {
      delete process.env[name];
    }
  });
});
