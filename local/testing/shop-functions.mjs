/** The functions of the shop that the tests run: an order comes in, is recorded, and is shipped. */
import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const tableName = process.env.TABLE_NAME;
const dynamo = new DynamoDBClient({ maxAttempts: 8 });
const events = new EventBridgeClient({ maxAttempts: 8 });
const s3 = new S3Client({ maxAttempts: 8 });

export async function placeOrder(request) {
  const order = JSON.parse(request.body);
  const answer = await events.send(
    new PutEventsCommand({
      Entries: [
        {
          EventBusName: process.env.BUS_NAME,
          Source: 'shop.web',
          DetailType: 'Order Placed',
          Detail: JSON.stringify(order),
        },
      ],
    }),
  );
  if (answer.FailedEntryCount > 0) throw new Error('The event was not taken');
  return { statusCode: 202, body: JSON.stringify({ id: order.id }) };
}

export async function readOrder(request) {
  const Key = { id: { S: request.pathParameters.id } };
  const { Item } = await dynamo.send(new GetItemCommand({ TableName: tableName, Key, ConsistentRead: true }));
  if (!Item) return { statusCode: 404, body: '{}' };
  const states = Item.states?.SS ?? [];
  return { statusCode: 200, body: JSON.stringify({ id: Item.id.S, states: states.sort() }) };
}

export async function recordOrder(event) {
  const { id } = event.detail;
  if (id === 'poison') throw new RangeError('This order cannot be recorded');
  await addState(id, 'recorded');
  await s3.send(
    new PutObjectCommand({
      Bucket: process.env.BUCKET_NAME,
      Key: `orders/${id}.json`,
      Body: JSON.stringify(event.detail),
    }),
  );
  process.stdout.write(`recorded ${id}\n`);
}

export async function shipOrder(batch) {
  for (const record of batch.Records) await addState(JSON.parse(record.body).detail.id, 'shipped');
  return { batchItemFailures: [] };
}

export const heartbeat = async () => process.stdout.write('beat\n');

async function addState(id, state) {
  await dynamo.send(
    new UpdateItemCommand({
      TableName: tableName,
      Key: { id: { S: id } },
      UpdateExpression: 'ADD states :state',
      ExpressionAttributeValues: { ':state': { SS: [state] } },
    }),
  );
}
