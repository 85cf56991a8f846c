import { describe, expect, test } from '@jest/globals';
import { createKeyResponseSchema, keyListSchema, ticketSchema } from '../../shared-types/index.ts';
import { createFakeApiKeyStore } from '../adapters/dynamodb/api-key-store.fake.ts';
import { createFakeTicketStore } from '../adapters/dynamodb/ticket-store.fake.ts';
import { apiEvent, type ApiCall } from '../adapters/test-support/api-event.ts';
import { identify } from '../core/identity/identify.ts';
import { redeemTicket } from '../core/identity/issue.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createSilentLogger } from '../core/test-support/fixtures.ts';
import type { OperationId } from '../../shared-types/index.ts';
import { createIssueCredentialsHandler } from './issue-credentials.ts';

const setUp = () => {
  const clock = createFakeClock();
  const keys = createFakeApiKeyStore();
  const tickets = createFakeTicketStore();
  const logger = createSilentLogger();
  let count = 0;
  const secrets = { bytes: (size: number) => new Uint8Array(size).fill((count += 1)) };
  const webSocketUrl = 'wss://live.example/live';
  const handler = createIssueCredentialsHandler({ keys, tickets, clock, secrets, webSocketUrl, logger });
  const call = async (operation: OperationId, options?: ApiCall) => {
    const { statusCode, body } = await handler(apiEvent(operation, options));
    return { status: statusCode, body: body === undefined ? undefined : (JSON.parse(body) as unknown) };
  };
  return {
    clock,
    keys,
    tickets,
    logger,
    call,
    create: async (body: unknown, options: ApiCall = {}) =>
      createKeyResponseSchema.parse(
        (await call('createKey', { ...options, body: JSON.stringify(body) })).body,
      ),
    /** What the authorizer makes of a key. */
    caller: (key: string) =>
      identify({ authorization: `Bearer ${key}` }, { keys, tokens: undefined, clock, openAccess: false }),
  };
};

describe('a new key', () => {
  test('opens the API for its user, with its scopes', async () => {
    const { create, caller } = setUp();
    const made = await create({ name: 'script', scopes: ['tasks:read'] });
    expect(made).toMatchObject({
      name: 'script',
      user_id: 'user-1',
      scopes: ['tasks:read'],
      created_at: '2026-11-22T10:00:00.000Z',
      expires_at: null,
      revoked: false,
    });
    expect(made.key).toBe(`cpk_${made.id}_${made.key.slice(-43)}`);
    expect(await caller(made.key)).toEqual({ kind: 'known', userId: 'user-1', scopes: ['tasks:read'] });
  });

  test('may read and write tasks when no scopes are asked for, and names each scope once', async () => {
    const { create } = setUp();
    expect((await create({ name: 'a' })).scopes).toEqual(['tasks:read', 'tasks:write']);
    const scopes = ['tasks:read', 'tasks:read'];
    expect((await create({ name: 'b', scopes })).scopes).toEqual(['tasks:read']);
  });

  test('is shown once, and is in no store and no log line', async () => {
    const { call, create, keys, logger } = setUp();
    const { key } = await create({ name: 'script' });
    const secret = key.slice(-43);
    const listed = await call('listKeys');
    expect(keyListSchema.parse(listed.body).keys).toHaveLength(1);
    expect(JSON.stringify([listed, [...keys.keys], logger.lines])).not.toContain(secret);
  });

  test('ends after its days', async () => {
    const { caller, clock, create } = setUp();
    const { key, expires_at: expiresAt } = await create({ name: 'short', expires_in_days: 2 });
    expect(expiresAt).toBe('2026-11-24T10:00:00.000Z');
    clock.advance(2 * 86_400_000 - 1);
    expect(await caller(key)).toMatchObject({ userId: 'user-1' });
    clock.advance(1);
    expect(await caller(key)).toEqual({ kind: 'refused', reason: 'expiredKey' });
  });

  test.each<[string, string | undefined]>([
    ['no JSON', '{'],
    ['nothing', undefined],
    ['null', 'null'],
    ['a list', '[]'],
    ['no name', '{}'],
    ['an empty name', '{"name":""}'],
    ['a long name', JSON.stringify({ name: 'x'.repeat(129) })],
    ['an unknown scope', '{"name":"a","scopes":["root"]}'],
    ['no scope', '{"name":"a","scopes":[]}'],
    ['scopes that are text', '{"name":"a","scopes":"admin"}'],
    ['no days', '{"name":"a","expires_in_days":0}'],
    ['NaN days', '{"name":"a","expires_in_days":"NaN"}'],
    ['a prototype', '{"__proto__":{"name":"a"}}'],
  ])('%s is 400 in one line, and no key', async (_what, body) => {
    const { call, keys } = setUp();
    const answer = await call('createKey', body === undefined ? {} : { body });
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringMatching(/^[^\n]+$/) } });
    expect(keys.keys.size).toBe(0);
  });
});

describe('nobody gives away more than they have', () => {
  test('scopes beyond their own are 403, and no key is made', async () => {
    const { call, keys } = setUp();
    const body = JSON.stringify({ name: 'a', scopes: ['tasks:read', 'admin'] });
    expect(await call('createKey', { body, scopes: ['keys:write', 'tasks:read'] })).toMatchObject({
      status: 403,
      body: { error: expect.stringContaining('admin') },
    });
    expect(keys.keys.size).toBe(0);
  });

  test("another user's key is for admins", async () => {
    const { call, create, keys } = setUp();
    const body = { name: 'a', user_id: 'user-2' };
    const scopes = ['keys:write', 'tasks:read', 'tasks:write'] as const;
    expect((await call('createKey', { body: JSON.stringify(body), scopes })).status).toBe(403);
    expect(keys.keys.size).toBe(0);
    expect(await create(body, { scopes: [...scopes, 'admin'] })).toMatchObject({ user_id: 'user-2' });
    expect(await create({ ...body, user_id: 'user-1' }, { scopes })).toMatchObject({ user_id: 'user-1' });
  });

  test("another user's keys are neither listed nor revoked, but by admins", async () => {
    const { call, create, caller } = setUp();
    const { id, key } = await create({ name: 'a' });
    const other: ApiCall = { userId: 'user-2', scopes: ['keys:write'], pathParameters: { id } };
    const query = { user_id: 'user-1' };
    expect((await call('listKeys', other)).body).toEqual({ keys: [] });
    expect((await call('revokeKey', other)).status).toBe(404);
    expect((await call('listKeys', { ...other, query })).status).toBe(403);
    expect((await call('revokeKey', { ...other, query })).status).toBe(403);
    expect(await caller(key)).toMatchObject({ userId: 'user-1' });
    const admin: ApiCall = { ...other, scopes: ['keys:write', 'admin'], query };
    expect((await call('listKeys', admin)).body).toMatchObject({ keys: [{ id }] });
    expect((await call('revokeKey', admin)).status).toBe(204);
    expect(await caller(key)).toMatchObject({ reason: 'revokedKey' });
  });
});

describe('revoking', () => {
  test('ends a key with the next request, and says so in the list', async () => {
    const { call, create, caller } = setUp();
    const [{ id, key }, kept] = [await create({ name: 'a' }), await create({ name: 'b' })];
    expect(await call('revokeKey', { pathParameters: { id } })).toEqual({ status: 204, body: undefined });
    expect(await caller(key)).toEqual({ kind: 'refused', reason: 'revokedKey' });
    expect(await caller(kept.key)).toMatchObject({ userId: 'user-1' });
    const { keys } = keyListSchema.parse((await call('listKeys')).body);
    expect(keys.map(({ id: each, revoked }) => [each, revoked])).toEqual([
      [id, true],
      [kept.id, false],
    ]);
    expect((await call('revokeKey', { pathParameters: { id } })).status).toBe(204);
  });

  test.each(['', '__proto__', '../x', '0123456789abcdef', 'ABCDEF0123456789', '0'.repeat(100_000)])(
    'what is no key of theirs is 404: %.20s',
    async (id) => {
      expect((await setUp().call('revokeKey', { pathParameters: { id } })).status).toBe(404);
    },
  );
});

describe('a ticket', () => {
  test('is good for 30 seconds and one connection of the caller', async () => {
    const { call, clock, tickets } = setUp();
    const made = ticketSchema.parse((await call('createTicket', { userId: 'user-7' })).body);
    expect(made).toMatchObject({
      expires_at: '2026-11-22T10:00:30.000Z',
      web_socket_url: 'wss://live.example/live',
    });
    expect(await redeemTicket(made.ticket, { tickets, clock })).toBe('user-7');
    expect(await redeemTicket(made.ticket, { tickets, clock })).toBeUndefined();
  });

  test('is another one each time, and in no log line', async () => {
    const { call, logger } = setUp();
    const made = [await call('createTicket'), await call('createTicket')].map(
      ({ body }) => ticketSchema.parse(body).ticket,
    );
    expect(new Set(made).size).toBe(2);
    for (const ticket of made) expect(JSON.stringify(logger.lines)).not.toContain(ticket);
  });
});
