import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { startEmbeddedAws, type EmbeddedAws } from '../local/embedded-aws.ts';
import { createBusWatch, withBusWatch, type BusWatch } from './page-server-bus.ts';

const BUS = 'some-bus';
let folder: string;
let aws: EmbeddedAws;
let watch: BusWatch;

const writeAssembly = async (name: string, resources: Record<string, unknown>): Promise<string> => {
  const assembly = path.join(folder, name);
  await mkdir(assembly);
  const artifacts = {
    Some: { type: 'aws:cloudformation:stack', properties: { templateFile: 'some.json', stackName: 'some' } },
  };
  await writeFile(path.join(assembly, 'some.json'), JSON.stringify({ Resources: resources }));
  await writeFile(path.join(assembly, 'manifest.json'), JSON.stringify({ artifacts }));
  return assembly;
};
const publish = async (n: number): Promise<void> => {
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
  const client = new EventBridgeClient({ endpoint: aws.endpoint, region: aws.region, credentials });
  const entry = {
    EventBusName: BUS,
    Source: 'comfyui.test',
    DetailType: 'Tick',
    Detail: JSON.stringify({ n }),
  };
  await client.send(new PutEventsCommand({ Entries: [entry] }));
  client.destroy();
};
const received = async (events: readonly string[], n: number): Promise<void> => {
  const deadline = Date.now() + 60_000;
  while (!events.some((text) => (JSON.parse(text) as { detail: { n: number } }).detail.n === n)) {
    if (Date.now() > deadline) throw new Error(`event ${n} never came`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'bus-watch-'));
  const assembly = await writeAssembly('one', {
    Bus: { Type: 'AWS::Events::EventBus', Properties: { Name: BUS } },
  });
  aws = await startEmbeddedAws({ assembly: await withBusWatch(assembly, path.join(folder, 'watched')) });
  watch = createBusWatch(aws);
}, 60_000);
afterAll(async () => {
  await watch.close();
  await aws.close();
  await rm(folder, { recursive: true, force: true });
});

test('every listener gets each event whole, one that came before anybody listened too', async () => {
  await publish(1);
  const [first, second]: [string[], string[]] = [[], []];
  const leave = [watch.subscribe((text) => first.push(text)), watch.subscribe((text) => second.push(text))];
  await received(first, 1);
  await publish(2);
  await received(first, 2);
  await received(second, 2);
  expect(JSON.parse(first.at(-1)!)).toMatchObject({
    source: 'comfyui.test',
    'detail-type': 'Tick',
    detail: { n: 2 },
  });
  leave[0]!();
  await publish(3);
  await received(second, 3);
  expect(first).toHaveLength(2);
  leave[1]!();
}, 120_000);

test('an assembly without a bus, and one that is not watched, are refused', async () => {
  const none = await writeAssembly('none', {});
  await expect(withBusWatch(none, path.join(folder, 'x'))).rejects.toMatchObject({ name: 'DemoError' });
  expect(() => createBusWatch({ ...aws, outputs: {} })).toThrow(/no queue/);
});
