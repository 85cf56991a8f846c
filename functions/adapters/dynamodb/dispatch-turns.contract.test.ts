/** What holds for the stored turn must hold for the fake. */
import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TURN_LEASE_MS } from '../../core/dispatch/turns.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { createFakeDispatchTurns } from './dispatch-turns.fake.ts';
import { createDispatchTurns, dispatchTurnKey } from './dispatch-turns.ts';

let dynalite: TestTable;
beforeAll(async () => {
  dynalite = await startTable();
});
afterAll(() => dynalite.stop());

describe.each(['in memory', 'in the table'])('the turn %s', (where) => {
  const setUp = async () => {
    const clock = createFakeClock();
    const { table } = dynalite;
    await table.client.send(new DeleteCommand({ TableName: table.tableName, Key: dispatchTurnKey }));
    const turns =
      where === 'in memory' ? createFakeDispatchTurns({ clock }) : createDispatchTurns({ table, clock });
    return { clock, turns };
  };

  test('is one holder’s at a time, and free when it has ended', async () => {
    const { turns } = await setUp();
    const turn = (await turns.take('a'))!;
    expect(turn).toEqual({ holder: 'a', wakeUps: 1 });
    expect(await turns.end(turn)).toBe(true);
    expect(await turns.take('b')).toEqual({ holder: 'b', wakeUps: 2 });
  });

  test('does not end before its holder has seen each wake-up that was counted meanwhile', async () => {
    const { turns } = await setUp();
    const turn = (await turns.take('a'))!;
    expect(await turns.take('b')).toBeUndefined();
    expect(await turns.end(turn)).toBe(false);
    const again = (await turns.take('a'))!;
    expect(again.wakeUps).toBeGreaterThan(turn.wakeUps + 1);
    expect(await turns.end(turn)).toBe(false);
    expect(await turns.end(again)).toBe(true);
    expect(await turns.end(again)).toBe(false);
  });

  test('of a holder that died is free once its lease has run out; taking it again extends it', async () => {
    const { clock, turns } = await setUp();
    const dead = (await turns.take('dead'))!;
    clock.advance(TURN_LEASE_MS);
    expect(await turns.take('b')).toBeUndefined();
    await turns.take('dead');
    clock.advance(TURN_LEASE_MS);
    expect(await turns.take('b')).toBeUndefined();
    clock.advance(1);
    const turn = (await turns.take('b'))!;
    expect(await turns.take('dead')).toBeUndefined();
    expect(await turns.end(dead)).toBe(false);
    await turns.abandon('dead');
    expect(await turns.take('c')).toBeUndefined();
    expect(await turns.end(turn)).toBe(false);
  });

  test('of a holder that gives it up is free at once, whatever was counted', async () => {
    const { turns } = await setUp();
    await turns.take('a');
    await turns.take('b');
    await turns.abandon('a');
    expect(await turns.take('b')).toBeDefined();
  });

  test('goes to one of many who come at once, and none of the others is forgotten', async () => {
    const { turns } = await setUp();
    const taken = await Promise.all(Array.from({ length: 20 }, (_, n) => turns.take(`holder-${n}`)));
    const [turn, ...others] = taken.filter((each) => each !== undefined);
    expect(others).toEqual([]);
    expect(await turns.end({ ...turn!, wakeUps: 1 })).toBe(false);
    const last = (await turns.take(turn!.holder))!;
    expect(last.wakeUps).toBeGreaterThanOrEqual(21);
    expect(await turns.end(last)).toBe(true);
  });
});
