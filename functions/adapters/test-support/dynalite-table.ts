/** The one table, in a DynamoDB of this process. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { BY_DUE_INDEX, BY_USER_INDEX, createTable, type Table } from '../dynamodb/table.ts';

export interface TestTable {
  readonly table: Table;
  stop(): Promise<void>;
}

const string = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' as const });

const index = (IndexName: string, hash: string, range: string, NonKeyAttributes: string[]) => ({
  IndexName,
  KeySchema: [
    { AttributeName: hash, KeyType: 'HASH' as const },
    { AttributeName: range, KeyType: 'RANGE' as const },
  ],
  Projection: { ProjectionType: 'INCLUDE' as const, NonKeyAttributes },
});

/** Points the standard AWS variables of this process at a dynalite on a free port, and makes the table in it. */
export const startTable = async (): Promise<TestTable> => {
  const server = dynalite({ createTableMs: 0 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port}`,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
  const table = createTable({ tableName: 'pipeline' });
  await table.client.send(
    new CreateTableCommand({
      TableName: table.tableName,
      AttributeDefinitions: ['pk', 'sk', 'userId', 'createdKey', 'due', 'dueAt'].map(string),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        index(BY_USER_INDEX, 'userId', 'createdKey', ['jobId', 'status', 'workflowId']),
        index(BY_DUE_INDEX, 'due', 'dueAt', ['jobId']),
      ],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
  return {
    table,
    stop: async () => {
      table.client.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
