/** Jobs that are over, as the table knows them. */
import { DeleteItemCommand, DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import type { Demo } from '../../demo/start-demo.ts';

/** Takes them from the table, as its time to live would after some weeks: no list shows them any more. */
export const forgetEndedJobs = async ({ aws, endpoints }: Pick<Demo, 'aws' | 'endpoints'>): Promise<void> => {
  await aws.idle();
  const { awsEndpointUrl: endpoint, awsRegion: region, tableName: TableName } = endpoints;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ endpoint, region, credentials });
  const ended = {
    TableName,
    ProjectionExpression: 'pk, sk',
    FilterExpression: 'sk = :job AND #status IN (:completed, :failed, :cancelled)',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: {
      ':job': { S: 'JOB' },
      ':completed': { S: 'completed' },
      ':failed': { S: 'failed' },
      ':cancelled': { S: 'cancelled' },
    },
  };
  for await (const { Items = [] } of paginateScan({ client }, ended)) {
    for (const Key of Items) await client.send(new DeleteItemCommand({ TableName, Key }));
  }
  client.destroy();
};
