/** What holds for the bucket holds for the fake. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Catalogue } from '../../core/workflow/catalogue.ts';
import { startAwsServer, type AwsServer } from '../test-support/aws-server.ts';
import { createFakeCatalogueStore } from './catalogue-store.fake.ts';
import { createCatalogueStore } from './catalogue-store.ts';

const NO_SUCH_KEY =
  '<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>';
const TAKEN =
  '<?xml version="1.0"?><Error><Code>PreconditionFailed</Code><Message>it is there</Message></Error>';

let server: AwsServer;
const objects = new Map<string, string>();
const requests: string[] = [];
beforeAll(async () => {
  server = await startAwsServer(({ method, path, body }) => {
    const key = path.split('?')[0] ?? '';
    requests.push(`${method} ${key}`);
    const xml = { 'content-type': 'application/xml' };
    if (method === 'PUT' && objects.has(key)) return { status: 412, headers: xml, body: TAKEN };
    if (method === 'PUT') objects.set(key, body);
    const object = objects.get(key);
    if (object === undefined) return { status: 404, headers: xml, body: NO_SUCH_KEY };
    return { status: 200, body: method === 'GET' ? object : '' };
  });
  process.env['AWS_ENDPOINT_URL_S3'] = server.url;
});
afterAll(() => server.stop());

const entry = {
  outputNode: true,
  required: { seed: { type: 'INT', max: '18446744073709551615' } },
  optional: {},
  outputs: ['LATENT'],
};
const catalogue: Catalogue = { classes: { KSampler: entry, ['__proto__']: entry } };
const other: Catalogue = { classes: { SaveImage: entry } };

describe.each([
  ['in a bucket', () => createCatalogueStore({ bucketName: 'workflows' })],
  ['in memory', () => createFakeCatalogueStore()],
])('catalogues %s', (_name, create) => {
  test('come back as they were', async () => {
    const store = create();
    await store.put('hash-1', catalogue);
    expect(await store.get('hash-1')).toEqual(catalogue);
  });

  test('are put twice without harm', async () => {
    const store = create();
    await store.put('hash-2', catalogue);
    await store.put('hash-2', catalogue);
    expect(await store.get('hash-2')).toEqual(catalogue);
  });

  test('that were never stored are not there', async () => {
    expect(await create().get('nobody')).toBeUndefined();
  });
});

describe('in a bucket', () => {
  test('what another process stored is read once, and kept', async () => {
    await createCatalogueStore({ bucketName: 'workflows' }).put('hash-3', other);
    const store = createCatalogueStore({ bucketName: 'workflows' });
    const before = requests.length;
    const first = await store.get('hash-3');
    expect(first).toEqual(other);
    expect(await store.get('hash-3')).toBe(first);
    expect(requests.slice(before)).toEqual([expect.stringMatching(/^GET .*\/catalogues\/hash-3\.json$/)]);
  });

  test('keys hold all digits, and names of members of every object', async () => {
    const store = createCatalogueStore({ bucketName: 'workflows' });
    await store.put('hash-4', catalogue);
    const read = await createCatalogueStore({ bucketName: 'workflows' }).get('hash-4');
    expect(Object.keys(read?.classes ?? {}).toSorted()).toEqual(['KSampler', '__proto__']);
    expect(read?.classes['KSampler']?.required['seed']?.max).toBe('18446744073709551615');
    expect(({} as Record<string, unknown>)['outputNode']).toBeUndefined();
  });

  test.each(['{}', '{"classes":{"K":3}}'])('%s is no catalogue', async (text) => {
    objects.set('/workflows/catalogues/bad.json', text);
    objects.set('/catalogues/bad.json', text);
    const store = createCatalogueStore({ bucketName: 'workflows' });
    await expect(store.get('bad')).rejects.toMatchObject({ code: 'catalogue.invalid', retryable: false });
  });

  test('the oldest leave the memory when there are too many', async () => {
    const { length } = JSON.stringify(other);
    const store = createCatalogueStore({ bucketName: 'workflows', maxCachedLength: 2 * length });
    for (let index = 0; index < 3; index += 1) await store.put(`many-${index}`, other);
    const before = requests.length;
    await store.get('many-2');
    await store.get('many-1');
    expect(requests.length).toBe(before);
    await store.get('many-0');
    expect(requests.length).toBe(before + 1);
    // many-2 was used longest ago.
    await store.get('many-1');
    expect(requests.length).toBe(before + 1);
    await store.get('many-2');
    expect(requests.length).toBe(before + 2);
  });
});
