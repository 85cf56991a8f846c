import { describe, expect, test } from '@jest/globals';
import { createFakeConnectionStore } from '../adapters/dynamodb/connection-store.fake.ts';
import { createFakeTicketStore } from '../adapters/dynamodb/ticket-store.fake.ts';
import { issueTicket, TICKET_LIFETIME_MS } from '../core/identity/issue.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createSilentLogger } from '../core/test-support/fixtures.ts';
import { createConnectHandler } from './connect.ts';

const CONNECTION = 'L0SM9cOFvHcCIhw=';

const setUp = ({ openAccess = false } = {}) => {
  const clock = createFakeClock();
  const connections = createFakeConnectionStore();
  const tickets = createFakeTicketStore();
  const logger = createSilentLogger();
  let count = 0;
  const secrets = { bytes: (size: number) => new Uint8Array(size).fill((count += 1)) };
  const handler = createConnectHandler({ connections, tickets, clock, openAccess, logger });
  return {
    clock,
    connections,
    tickets,
    logger,
    ticket: async (userId = 'user-7') => (await issueTicket(userId, { tickets, clock, secrets })).ticket,
    connect: async (
      query: Readonly<Record<string, string>> | null,
      connectionId = CONNECTION,
      headers: Readonly<Record<string, string>> = {},
    ) =>
      (await handler({ requestContext: { connectionId }, queryStringParameters: query, headers })).statusCode,
    user: async (connectionId = CONNECTION) => (await connections.get(connectionId))?.userId,
  };
};

describe('a ticket', () => {
  test('opens one connection, of the user that it was made for', async () => {
    const { connect, ticket, user } = setUp();
    expect(await connect({ ticket: await ticket() })).toBe(200);
    expect(await user()).toBe('user-7');
  });

  test('opens no second one, and its replay writes no row', async () => {
    const { connect, ticket, user } = setUp();
    const once = await ticket();
    await connect({ ticket: once });
    expect(await connect({ ticket: once }, 'second=')).toBe(401);
    expect(await user('second=')).toBeUndefined();
  });

  test('is good for 30 seconds, and not a moment longer', async () => {
    const { clock, connect, ticket, connections } = setUp();
    const [inTime, late] = [await ticket(), await ticket()];
    clock.advance(TICKET_LIFETIME_MS - 1);
    expect(await connect({ ticket: inTime }, 'a=')).toBe(200);
    clock.advance(1);
    expect(await connect({ ticket: late }, 'b=')).toBe(401);
    expect([...connections.connections.keys()]).toEqual(['a=']);
  });

  test('is stored as its hash alone', async () => {
    const { ticket, tickets } = setUp();
    const text = await ticket();
    const [hash = ''] = tickets.tickets.keys();
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify([...tickets.tickets])).not.toContain(text);
  });
});

describe('the handshake is refused with 401, and no row is written', () => {
  test.each<[string, Record<string, string> | null]>([
    ['nothing', null],
    ['an empty query', {}],
    ['an empty ticket', { ticket: '' }],
    ['a ticket that nobody made', { ticket: 'A'.repeat(43) }],
    ['a ticket that is too long', { ticket: 'A'.repeat(100_000) }],
    ['a ticket with a key in it', { ticket: `TICKET#${'A'.repeat(36)}` }],
    ['a prototype', { ticket: '__proto__' }],
    ['a token', { token: 'a.b.c' }],
    ['an API key', { token: `cpk_0123456789abcdef_${'A'.repeat(43)}` }],
    ['an empty token', { token: '' }],
  ])('%s', async (_what, query) => {
    for (const openAccess of [false, true]) {
      const { connect, connections } = setUp({ openAccess });
      const open = openAccess && query?.['ticket'] === undefined && query?.['token'] === undefined;
      expect(await connect(query)).toBe(open ? 200 : 401);
      expect(connections.connections.size).toBe(open ? 1 : 0);
    }
  });

  test('a token beside a good ticket, which stays good', async () => {
    const { connect, connections, ticket } = setUp();
    const good = await ticket();
    expect(await connect({ ticket: good, token: 'a.b.c' })).toBe(401);
    expect(connections.connections.size).toBe(0);
    expect(await connect({ ticket: good })).toBe(200);
  });

  test('and neither ticket nor token is in a log line', async () => {
    const { connect, logger } = setUp();
    await connect({ ticket: 'B'.repeat(43) });
    await connect({ token: 'very.secret.token' });
    expect(logger.lines).toMatchObject([
      { code: 'connect.refused', data: { connectionId: CONNECTION, sent: 'ticket' } },
      { code: 'connect.refused', data: { connectionId: CONNECTION, sent: 'token' } },
    ]);
    expect(JSON.stringify(logger.lines)).not.toMatch(/BBBB|secret/);
  });
});

describe('with open access', () => {
  test('who comes without a ticket is the local user', async () => {
    const { connect, user } = setUp({ openAccess: true });
    expect(await connect(null)).toBe(200);
    expect(await user()).toBe('local');
  });

  test('a page of another site is nobody', async () => {
    const { connect, user } = setUp({ openAccess: true });
    expect(await connect(null, CONNECTION, { Origin: 'http://evil.example' })).toBe(401);
    expect(await connect(null, CONNECTION, { Host: 'rebound.example' })).toBe(401);
    expect(await user()).toBeUndefined();
    expect(await connect(null, CONNECTION, { Host: '127.0.0.1:1', Origin: 'http://localhost:8081' })).toBe(
      200,
    );
  });

  test('a ticket that was sent counts', async () => {
    const { connect, ticket, user } = setUp({ openAccess: true });
    await connect({ ticket: await ticket('user-9') });
    expect(await user()).toBe('user-9');
  });
});
