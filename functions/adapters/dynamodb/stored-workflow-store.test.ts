/** What holds for the table holds for the fake. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { randomBytes } from 'node:crypto';
import type { StoredWorkflow, StoredWorkflowStore } from '../../core/ports.ts';
import { START } from '../../core/test-support/fixtures.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { createFakeStoredWorkflowStore } from './stored-workflow-store.fake.ts';
import { createStoredWorkflowStore } from './stored-workflow-store.ts';

const LATER = '2026-11-23T10:00:00.000Z';

const make = (overrides: Partial<StoredWorkflow> = {}): StoredWorkflow => ({
  userId: 'user-1',
  workflowId: 'portrait',
  workflowText: '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":7.0}}}',
  parameters: { seed: '3.inputs.seed', both: ['3.inputs.seed', '3.inputs.cfg'] },
  createdAt: START,
  updatedAt: START,
  ...overrides,
});

let shared: TestTable;
beforeAll(async () => {
  shared = await startTable();
});
afterAll(() => shared.stop());

let users = 0;
describe.each<[string, () => StoredWorkflowStore]>([
  ['in the table', () => createStoredWorkflowStore({ table: shared.table })],
  ['in memory', createFakeStoredWorkflowStore],
])('a stored workflow %s', (_name, create) => {
  const setUp = () => {
    users += 1;
    return { store: create(), userId: `user-${users}` };
  };

  test('comes back whole, digit by digit', async () => {
    const { store, userId } = setUp();
    const workflow = make({ userId });
    expect(await store.get(userId, 'portrait')).toBeUndefined();
    expect(await store.put(workflow)).toBe('created');
    expect(await store.get(userId, 'portrait')).toEqual(workflow);
  });

  test('is replaced whole, and remembers when it was made', async () => {
    const { store, userId } = setUp();
    await store.put(make({ userId }));
    const next = make({
      userId,
      workflowText: '{"1":{}}',
      parameters: {},
      createdAt: LATER,
      updatedAt: LATER,
    });
    expect(await store.put(next)).toBe('replaced');
    expect(await store.get(userId, 'portrait')).toEqual({ ...next, createdAt: START });
  });

  test('is listed without its text, in the order of ids', async () => {
    const { store, userId } = setUp();
    for (const workflowId of ['b', 'a', 'a.1']) await store.put(make({ userId, workflowId }));
    const { workflowText: _text, ...listed } = make({ userId });
    expect(await store.list(userId)).toEqual(
      ['a', 'a.1', 'b'].map((workflowId) => ({ ...listed, workflowId })),
    );
  });

  test('is gone once it is removed, and removed once', async () => {
    const { store, userId } = setUp();
    await store.put(make({ userId }));
    expect(await store.remove(userId, 'portrait')).toBe(true);
    expect(await store.remove(userId, 'portrait')).toBe(false);
    expect(await store.get(userId, 'portrait')).toBeUndefined();
    expect(await store.list(userId)).toEqual([]);
  });

  test("is nobody else's, and one id is not the beginning of another", async () => {
    const { store, userId } = setUp();
    await store.put(make({ userId, workflowId: 'portrait.2' }));
    expect(await store.get(userId, 'portrait')).toBeUndefined();
    expect(await store.get(`${userId}-other`, 'portrait.2')).toBeUndefined();
    expect(await store.remove(`${userId}-other`, 'portrait.2')).toBe(false);
    expect(await store.list(`${userId}-other`)).toEqual([]);
    expect(await store.list(userId)).toHaveLength(1);
  });

  test('may have parameters of any name', async () => {
    const { store, userId } = setUp();
    const parameters = JSON.parse('{"__proto__":"3.inputs.seed","constructor":"3.inputs.cfg"}') as never;
    await store.put(make({ userId, parameters }));
    const stored = await store.get(userId, 'portrait');
    expect(Object.entries(stored?.parameters ?? {})).toContainEqual(['constructor', '3.inputs.cfg']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('may be larger than an item of the table', async () => {
    const { store, userId } = setUp();
    const workflowText = JSON.stringify({ image: randomBytes(1_500_000).toString('base64') });
    await store.put(make({ userId, workflowText }));
    expect((await store.get(userId, 'portrait'))?.workflowText === workflowText).toBe(true);
  });
});

test('nothing is left of what was replaced or removed', async () => {
  const store = createStoredWorkflowStore({ table: shared.table });
  const countOf = async (pk: string) => {
    const { Count } = await shared.table.client.send(
      new QueryCommand({
        TableName: shared.table.tableName,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': pk },
      }),
    );
    return Count;
  };
  const left = async () => [await countOf('USER#tidy'), await countOf('WORKFLOW#tidy')];
  await store.put(make({ userId: 'tidy' }));
  await store.put(make({ userId: 'tidy', workflowText: '{"1":{}}' }));
  expect(await left()).toEqual([1, 1]);
  await store.remove('tidy', 'portrait');
  expect(await left()).toEqual([0, 0]);
});
