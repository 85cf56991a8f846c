/** Pictures while sampling: to those who asked for them, past the bus, and kept nowhere. */
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, ListBucketsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { PNG } from 'pngjs';
import type { PushOf } from '../../shared-types/index.ts';
import type { Watcher } from '../support/pipeline.ts';
import { podControl, type PodControl } from '../support/pods.ts';
import { waitUntil } from '../support/wait.ts';
import { textToImage } from '../support/workflows.ts';
import { ownComfyUi, WAIT_MS } from './stack.ts';

const own = ownComfyUi();
let pod: PodControl;
let metricsUrl = '';

/** Sum over all labels of a metric of the monitor. */
const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(metricsUrl)).text();
  const lines = [...text.matchAll(new RegExp(`^comfyui_monitor_${name}(?:\\{.*\\})? (\\d+)$`, 'gm'))];
  if (lines.length === 0) throw new Error(`the monitor has no metric ${name}`);
  return lines.reduce((sum, [, value]) => sum + Number(value), 0);
};
const untilMetric = (name: string, above: number): Promise<unknown> =>
  waitUntil(async () => (await metric(name)) > above, { what: `${name} above ${above}`, timeoutMs: WAIT_MS });

const previewsOf = (watcher: Watcher, jobId: string): readonly PushOf<'job_preview'>[] =>
  watcher.of(jobId).filter((push) => push.type === 'job_preview');

const untilPreviews = (watcher: Watcher, jobId: string, count: number): Promise<unknown> =>
  waitUntil(() => previewsOf(watcher, jobId).length >= count, {
    what: `${count} previews of ${jobId}`,
    timeoutMs: WAIT_MS,
  });

const follow = async (jobId: string, previews?: boolean): Promise<Watcher> => {
  const watcher = await own().pipeline.watch();
  watcher.send(
    JSON.stringify({ action: 'subscribe', jobId, ...(previews === undefined ? {} : { previews }) }),
  );
  await watcher.until(jobId, ({ type }) => type === 'job_snapshot', WAIT_MS);
  return watcher;
};

/** The bytes of a picture, raw or in base64, are in none of the buckets and in no item of the table. */
const expectKeptNowhere = async (image: string): Promise<void> => {
  const { awsEndpointUrl: endpoint, awsRegion: region, tableName: TableName } = own().pipeline.demo.endpoints;
  const access = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  const s3 = new S3Client({ ...access, forcePathStyle: true });
  const dynamoDb = new DynamoDBClient(access);
  const needles = [Buffer.from(image, 'base64').subarray(-64), Buffer.from(image.slice(-64))];
  const isIn = (content: Uint8Array): boolean => needles.some((each) => Buffer.from(content).includes(each));
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  expect(Buckets.length).toBeGreaterThan(2);
  for (const { Name: Bucket } of Buckets) {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: Bucket! }));
    for (const { Key } of Contents) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: Bucket!, Key: Key! }));
      expect(isIn(await Body!.transformToByteArray())).toBe(false);
    }
  }
  const { Items = [] } = await dynamoDb.send(new ScanCommand({ TableName }));
  expect(Items.length).toBeGreaterThan(0);
  expect(isIn(Buffer.from(JSON.stringify(Items)))).toBe(false);
  s3.destroy();
  dynamoDb.destroy();
};

describe('pictures while sampling', () => {
  beforeAll(async () => {
    pod = podControl(own().comfyUi.url);
    const log = await readFile(own().pipeline.demo.monitors[0]!.logFile, 'utf8');
    metricsUrl = `http://127.0.0.1:${/"healthPort":(\d+)/.exec(log)?.[1]}/metrics`;
  });
  afterEach(() => pod.release());

  test('go to the watcher that asked for them and to no other, and are kept nowhere', async () => {
    await pod.hold(0);
    const id = await own().pipeline.api.submit(textToImage({ steps: 8, size: 512, seed: 7 }));
    const eager = await follow(id, true);
    const plain = await follow(id);
    const declining = await follow(id, false);
    await pod.untilHeld();
    own().pipeline.demo.aws.resetCalls();
    await pod.hold(2);
    await untilPreviews(eager, id, 1);
    await pod.hold(5);
    await untilPreviews(eager, id, 2);
    const publishing = own()
      .pipeline.demo.aws.calls()
      .filter(({ operation }) => operation === 'PutEvents');
    const seen = previewsOf(eager, id);
    for (const { image, mimeType, nodeId, attempt } of seen) {
      expect([mimeType, nodeId, attempt]).toEqual(['image/png', '3', 1]);
      const bytes = Buffer.from(image, 'base64');
      expect(bytes.length).toBeLessThanOrEqual(24 * 1024);
      const { width, height } = PNG.sync.read(bytes);
      expect([width, height]).toEqual([88, 88]);
    }
    expect(seen[1]!.image).not.toBe(seen[0]!.image);
    const published = publishing.reduce((sum, { requestBytes }) => sum + requestBytes, 0);
    expect(published).toBeGreaterThan(0);
    // All events together are smaller than the pictures that were sent meanwhile.
    expect(published).toBeLessThan(seen.reduce((sum, { image }) => sum + image.length, 0));
    await pod.release();
    expect((await own().pipeline.api.finished(id, WAIT_MS)).status).toBe('completed');
    await own().pipeline.demo.aws.idle();
    await expectKeptNowhere(seen[0]!.image);
    expect([...previewsOf(plain, id), ...previewsOf(declining, id)]).toEqual([]);
    // Pushes of one job travel side by side: what came last to the eye need not have been said last.
    expect(plain.of(id).map(({ type }) => type)).toContain('job_completed');
  });

  test('do not leave the monitor while nobody wants them', async () => {
    await pod.hold(0);
    const [sent, asked] = [await metric('previews_sent_total'), await metric('preview_questions_total')];
    const id = await own().pipeline.api.submit(textToImage({ steps: 6, size: 512, seed: 8 }));
    const plain = await follow(id);
    await pod.untilHeld();
    await pod.hold(4);
    await untilMetric('preview_questions_total', asked);
    await pod.release();
    expect((await own().pipeline.api.finished(id, WAIT_MS)).status).toBe('completed');
    expect(await metric('previews_sent_total')).toBe(sent);
    expect(await metric('preview_failures_total')).toBe(0);
    expect(previewsOf(plain, id)).toEqual([]);
  });

  test('begin for a watcher that comes while the job is held', async () => {
    await pod.hold(0);
    const asked = await metric('preview_questions_total');
    const id = await own().pipeline.api.submit(textToImage({ steps: 6, size: 512, seed: 9 }));
    await pod.untilHeld();
    await pod.hold(3);
    await untilMetric('preview_questions_total', asked);
    const late = await follow(id, true);
    await untilPreviews(late, id, 1);
    await pod.release();
    expect((await own().pipeline.api.finished(id, WAIT_MS)).status).toBe('completed');
  });
});
