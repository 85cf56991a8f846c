import { afterEach, expect, test } from '@jest/globals';
import { readReached } from '../../core/scaling/reached-providers.ts';
import { requirePools } from '../../core/scaling/require-pools.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { systemClock } from '../system.ts';
import { startAwsServer, type AwsServer } from '../test-support/aws-server.ts';
import { createProviderRegistry, createReachedProviders } from './provider-registry.ts';
import { createProviderSecrets } from './provider-secrets.ts';

const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:providers-AbCdEf';
const VARIABLE = 'AWS_ENDPOINT_URL_SECRETS_MANAGER';

let server: AwsServer | undefined;
afterEach(async () => {
  delete process.env[VARIABLE];
  await server?.stop();
  server = undefined;
});

/** Secrets Manager that holds that text. */
const secretsHolding = async (text: () => string) => {
  server = await startAwsServer(() => ({
    status: 200,
    headers: { 'content-type': 'application/x-amz-json-1.1' },
    body: JSON.stringify({ ARN, Name: 'providers', SecretString: text() }),
  }));
  process.env[VARIABLE] = server.url;
  return server;
};

const common = { image: 'comfyui:1', products: ['a'], maxPricePerHour: 1 };

test('each entry of each pool is its own provider, and nobody is asked before the first call', async () => {
  const asked: string[] = [];
  const pools = requirePools(
    JSON.stringify([
      {
        name: 'gpu',
        max: 2,
        providers: [
          { ...common, provider: 'novita' },
          { ...common, provider: 'runpod', id: 'runpod-eu', options: { cloudType: 'COMMUNITY' } },
          {
            ...common,
            provider: 'ecs',
            options: {
              cluster: 'gpu',
              products: [{ id: 'a', taskDefinition: 't', containerName: 'c', pricePerHour: 0.4 }],
            },
          },
          {
            ...common,
            provider: 'docker',
            options: { products: [{ id: 'a', name: 'desk', pricePerHour: 0.1 }] },
          },
        ],
      },
      { name: 'desk', max: 0, providers: [{ provider: 'static' }] },
    ]),
  );
  const secrets = async () => {
    asked.push('secret');
    return {};
  };
  const registry = createProviderRegistry({ pools, secrets, clock: createFakeClock() });
  const names = [...registry].map(([pool, providers]) => [
    pool,
    [...providers].map(([id, provider]) => [id, provider.name]),
  ]);
  expect(names).toEqual([
    [
      'gpu',
      [
        ['novita', 'novita'],
        ['runpod-eu', 'runpod'],
        ['ecs', 'ecs'],
        ['docker', 'docker'],
      ],
    ],
    ['desk', [['static', 'static']]],
  ]);
  expect(await registry.get('gpu')?.get('ecs')?.products()).toMatchObject({
    products: [{ id: 'a', pricePerHour: 0.4 }],
  });
  expect(asked).toEqual([]);
});

test('a key that the secret lacks is a matter for a person, and nothing is sent', async () => {
  server = await startAwsServer(() => ({ status: 200, body: '{"instances":[],"total":0}' }));
  const provider = { ...common, provider: 'novita', options: { baseUrl: server.url } };
  const pools = requirePools(JSON.stringify([{ name: 'gpu', max: 1, providers: [provider] }]));
  const of = (secrets: Readonly<Record<string, string>>) =>
    createProviderRegistry({ pools, secrets: async () => secrets, clock: systemClock }).get('gpu');
  const refused = await of({ other: 'x' })?.get('novita')?.list('test-gpu');
  expect(refused?.kind).toBe('unauthorized');
  expect(server.requests).toEqual([]);
  expect(await of({ novitaApiKey: 'key' })?.get('novita')?.list('test-gpu')).toEqual({
    kind: 'listed',
    instances: [],
  });
});

test('a provider of no pool is reached with its own key, and nobody is asked before the first call', async () => {
  server = await startAwsServer(() => ({ status: 200, body: '{"instances":[],"total":0}' }));
  const providers = JSON.stringify([
    { provider: 'novita', baseUrl: server.url, apiKeySecret: 'old' },
    { provider: 'runpod' },
    { provider: 'ecs', cluster: 'gpus' },
    { provider: 'docker' },
  ]);
  const { reached } = readReached({ pools: '', providers });
  // Without a key the answer is `unauthorized`, as RunPod's is here.
  const secrets = async () => ({ old: 'key-of-old', novitaApiKey: '' });
  const made = createReachedProviders(reached, { secrets, clock: systemClock });
  expect([...made.values()].map(({ name }) => name)).toEqual(['novita', 'runpod', 'ecs', 'docker']);
  expect(server.requests).toEqual([]);
  const [novita] = made.values();
  expect(await novita?.listStage('test')).toEqual({ kind: 'listed', instances: [] });
  expect((await [...made.values()][1]?.listStage('test'))?.kind).toBe('unauthorized');
});

test('the secret is read once in five minutes', async () => {
  let value = 'old';
  const aws = await secretsHolding(() => JSON.stringify({ novitaApiKey: value }));
  const clock = createFakeClock();
  const secrets = createProviderSecrets({ secretArn: ARN, clock });
  expect(await secrets()).toEqual({ novitaApiKey: 'old' });
  value = 'new';
  expect(await secrets()).toEqual({ novitaApiKey: 'old' });
  expect(aws.requests).toHaveLength(1);
  expect(JSON.parse(aws.requests[0]!.body)).toEqual({ SecretId: ARN });
  clock.advance(5 * 60_000);
  expect(await secrets()).toEqual({ novitaApiKey: 'new' });
});

test.each(['not JSON: sk-secret', '["sk-secret"]', '{"novitaApiKey":{"value":"sk-secret"}}'])(
  'a secret that does not read is refused without a word of it: %s',
  async (text) => {
    await secretsHolding(() => text);
    const secrets = createProviderSecrets({ secretArn: ARN, clock: createFakeClock() });
    const error = await secrets().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'provider-secret.unreadable', retryable: false });
    expect(String(error) + String((error as Error).cause)).not.toContain('sk-secret');
  },
);

test('without an ARN there is no secret, and a store that fails is tried again', async () => {
  const none = createProviderSecrets({ secretArn: '', clock: createFakeClock() });
  await expect(none()).rejects.toMatchObject({ code: 'provider-secret.unreadable', retryable: false });
  server = await startAwsServer((_, count) =>
    count === 1
      ? { status: 400, body: '{"__type":"AccessDeniedException","message":"no"}' }
      : { status: 200, body: '{"SecretString":"{}"}' },
  );
  process.env[VARIABLE] = server.url;
  const secrets = createProviderSecrets({ secretArn: ARN, clock: createFakeClock() });
  await expect(secrets()).rejects.toMatchObject({ code: 'provider-secret.unreadable', retryable: true });
  expect(await secrets()).toEqual({});
});
