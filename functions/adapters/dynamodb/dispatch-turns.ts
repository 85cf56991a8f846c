/** The dispatcher's turn: one item, counted and leased by conditional writes. */
import { UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { TURN_LEASE_MS, type DispatchTurns, type HeldTurn } from '../../core/dispatch/turns.ts';
import { readRow, whenConditionHolds, type StoreOptions } from './table.ts';

export const dispatchTurnKey = { pk: 'DISPATCH', sk: 'TURN' };

const rowSchema = z.object({
  wakeUps: z.number().int(),
  holder: z.string().optional(),
  heldUntil: z.number().optional(),
});
type Row = z.infer<typeof rowSchema>;

/** Between the two writes of a taker the holder may end its turn; each time that it happens, somebody got on. */
const TRIES = 5;

export const createDispatchTurns = ({
  table: { client, tableName: TableName },
  clock,
}: StoreOptions): DispatchTurns => {
  /** Undefined when the condition did not hold. */
  const update = async (
    input: Omit<UpdateCommandInput, 'TableName' | 'Key' | 'ReturnValues'>,
  ): Promise<Row | undefined> => {
    const command = new UpdateCommand({ TableName, Key: dispatchTurnKey, ReturnValues: 'ALL_NEW', ...input });
    const written = await whenConditionHolds(client.send(command));
    return written === undefined ? undefined : readRow(rowSchema, written.Attributes ?? {});
  };

  const takeFree = async (holder: string): Promise<HeldTurn | undefined> => {
    const row = await update({
      ConditionExpression: 'attribute_not_exists(#holder) OR #holder = :me OR heldUntil < :now',
      UpdateExpression: 'SET #holder = :me, heldUntil = :until ADD wakeUps :one',
      ExpressionAttributeNames: { '#holder': 'holder' },
      ExpressionAttributeValues: {
        ':me': holder,
        ':now': clock.now(),
        ':until': clock.now() + TURN_LEASE_MS,
        ':one': 1,
      },
    });
    return row === undefined ? undefined : { holder, wakeUps: row.wakeUps };
  };

  /** True when somebody holds the turn who will look again because of it. */
  const countWakeUp = async (): Promise<boolean> => {
    const row = await update({
      UpdateExpression: 'ADD wakeUps :one',
      ExpressionAttributeValues: { ':one': 1 },
    });
    return row?.holder !== undefined && (row.heldUntil ?? 0) >= clock.now();
  };

  return {
    take: async (holder) => {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const turn = await takeFree(holder);
        if (turn !== undefined) return turn;
        if (await countWakeUp()) return undefined;
      }
      return undefined;
    },
    end: async ({ holder, wakeUps }) => {
      const ended = await update({
        ConditionExpression: '#holder = :me AND wakeUps = :seen',
        UpdateExpression: 'REMOVE #holder, heldUntil',
        ExpressionAttributeNames: { '#holder': 'holder' },
        ExpressionAttributeValues: { ':me': holder, ':seen': wakeUps },
      });
      return ended !== undefined;
    },
    abandon: async (holder) => {
      await update({
        ConditionExpression: '#holder = :me',
        UpdateExpression: 'REMOVE #holder, heldUntil',
        ExpressionAttributeNames: { '#holder': 'holder' },
        ExpressionAttributeValues: { ':me': holder },
      });
    },
  };
};
