/* oxlint-disable no-new -- a CDK construct joins its scope by being created */
/**
 * Writes the cloud assembly of a small shop, as CDK itself synthesizes it, into the directory given as argument.
 * A second argument adds so many more functions and rules, to see how long a large application takes to start.
 */
import { join } from 'node:path';
import { App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Alias, Code, Function as LambdaFn, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket } from 'aws-cdk-lib/aws-s3';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { buildSync } from 'esbuild';

const [outdir, more = '0'] = process.argv.slice(2);
const code = join(outdir, '..', 'shop-code');
buildSync({
  entryPoints: [join(import.meta.dirname, 'shop-functions.mjs')],
  outfile: join(code, 'index.mjs'),
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});

const app = new App({ outdir, analyticsReporting: false });

const storage = new Stack(app, 'Storage');
const table = new TableV2(storage, 'Orders', {
  partitionKey: { name: 'id', type: AttributeType.STRING },
  timeToLiveAttribute: 'expires',
  pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
});
const bucket = new Bucket(storage, 'Papers', {
  blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
  removalPolicy: RemovalPolicy.DESTROY,
});

const shop = new Stack(app, 'Shop');
const bus = new EventBus(shop, 'Bus', { eventBusName: 'shop-bus' });
const audit = new Queue(shop, 'Audit');
const failures = new Queue(shop, 'Failures');
const toShip = new Queue(shop, 'ToShip', { deadLetterQueue: { queue: failures, maxReceiveCount: 5 } });

const functions = Object.fromEntries(
  ['placeOrder', 'readOrder', 'recordOrder', 'shipOrder', 'heartbeat'].map((name) => {
    const created = new LambdaFn(shop, name, {
      functionName: name,
      runtime: Runtime.NODEJS_24_X,
      handler: `index.${name}`,
      code: Code.fromAsset(code),
      memorySize: 256,
      timeout: Duration.seconds(10),
      environment: {
        TABLE_NAME: table.tableName,
        BUCKET_NAME: bucket.bucketName,
        BUS_NAME: bus.eventBusName,
      },
      logGroup: new LogGroup(shop, `${name}Log`, { retention: RetentionDays.ONE_WEEK }),
      ...(name === 'recordOrder' ? { onFailure: new SqsDestination(failures) } : {}),
    });
    table.grantReadWriteData(created);
    bucket.grantPut(created);
    return [name, created];
  }),
);
bus.grantPutEventsTo(functions.placeOrder);

const placed = { source: [{ prefix: 'shop.' }], detailType: ['Order Placed'] };
new Rule(shop, 'Record', {
  eventBus: bus,
  eventPattern: placed,
  targets: [new LambdaFunction(functions.recordOrder)],
});
new Rule(shop, 'Keep', { eventBus: bus, eventPattern: placed, targets: [new SqsQueue(audit)] });
new Rule(shop, 'Ship', { eventBus: bus, eventPattern: placed, targets: [new SqsQueue(toShip)] });
new Rule(shop, 'Beat', {
  schedule: Schedule.rate(Duration.hours(1)),
  targets: [new LambdaFunction(functions.heartbeat)],
});
functions.shipOrder.addEventSource(new SqsEventSource(toShip, { reportBatchItemFailures: true }));
new Alias(shop, 'Live', { aliasName: 'live', version: functions.heartbeat.currentVersion });
new Alarm(shop, 'TooManyFailures', {
  metric: failures.metricApproximateNumberOfMessagesVisible(),
  threshold: 1,
  evaluationPeriods: 1,
});

const api = new HttpApi(shop, 'Api', { apiName: 'shop-api' });
api.addRoutes({
  path: '/orders',
  methods: [HttpMethod.POST],
  integration: new HttpLambdaIntegration('Place', functions.placeOrder),
});
api.addRoutes({
  path: '/orders/{id}',
  methods: [HttpMethod.GET],
  integration: new HttpLambdaIntegration('Read', functions.readOrder),
});

for (let count = 0; count < Number(more); count += 1) {
  const extra = new LambdaFn(shop, `Extra${count}`, {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.heartbeat',
    code: Code.fromAsset(code),
    environment: { TABLE_NAME: table.tableName },
  });
  new Rule(shop, `ExtraRule${count}`, {
    eventBus: bus,
    eventPattern: { source: [`extra.${count}`] },
    targets: [new LambdaFunction(extra)],
  });
}

const outputs = {
  ApiUrl: api.apiEndpoint,
  AuditQueueUrl: audit.queueUrl,
  FailuresQueueUrl: failures.queueUrl,
  BusName: bus.eventBusName,
};
for (const [name, value] of Object.entries(outputs)) new CfnOutput(shop, name, { value });
new CfnOutput(storage, 'TableName', { value: table.tableName });
new CfnOutput(storage, 'BucketName', { value: bucket.bucketName });
app.synth();
