import * as z from 'zod';

/** One DynamoDB operation by name. */
export type DynamoCall = (operation: string, input: object) => Promise<unknown>;

export interface ExpiringTable {
  readonly tableName: string;
  readonly keyNames: readonly string[];
  readonly attribute: string;
}

const pageSchema = z.object({
  Items: z.array(z.record(z.string(), z.unknown())),
  LastEvaluatedKey: z.record(z.string(), z.unknown()).optional(),
});

/** DynamoDB leaves items alone whose time is older than this: they are taken for a mistake. */
const oldestSeconds = 5 * 365 * 24 * 3600;

/**
 * Deletes the items whose time has come, as DynamoDB does within a few days: the attribute is a number of seconds in
 * the past five years. An item that is renewed meanwhile stays. Returns how many went.
 */
export async function sweepExpired(call: DynamoCall, table: ExpiringTable, nowMs: number): Promise<number> {
  const now = Math.floor(nowMs / 1000);
  const due = {
    names: { '#expires': table.attribute },
    values: { ':now': { N: String(now) }, ':oldest': { N: String(now - oldestSeconds) } },
    expression: '#expires < :now AND #expires > :oldest',
  };
  let deleted = 0;
  for await (const item of expiredItems(call, table, due)) {
    const Key = Object.fromEntries(table.keyNames.map((name) => [name, item[name]]));
    const gone = await call('DeleteItem', {
      TableName: table.tableName,
      Key,
      ConditionExpression: due.expression,
      ExpressionAttributeNames: due.names,
      ExpressionAttributeValues: due.values,
    }).then(
      () => 1,
      () => 0,
    );
    deleted += gone;
  }
  return deleted;
}

async function* expiredItems(
  call: DynamoCall,
  table: ExpiringTable,
  due: { readonly names: object; readonly values: object; readonly expression: string },
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  let ExclusiveStartKey: unknown;
  do {
    const answer = await call('Scan', {
      TableName: table.tableName,
      FilterExpression: due.expression,
      ExpressionAttributeNames: due.names,
      ExpressionAttributeValues: due.values,
      ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
    });
    const page = pageSchema.parse(answer);
    yield* page.Items;
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
}
