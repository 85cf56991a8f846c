import { describe, expect, test } from '@jest/globals';
import { detailTypes, eventCatalogue, isDetailType } from '../shared-types/event-catalogue.ts';
import { asyncFunctionNames, functionSpecs } from './function-specs.ts';
import { referenceOf, Template, type Resource } from './synthesized-fixture.ts';

interface Target {
  readonly Arn: unknown;
  readonly DeadLetterConfig?: { readonly Arn: unknown };
  readonly RetryPolicy?: { readonly MaximumRetryAttempts: number; readonly MaximumEventAgeInSeconds: number };
}
interface Pattern {
  readonly source: readonly unknown[];
  readonly 'detail-type': readonly string[];
}

const template = new Template('dev');
const rules = template.ofType('AWS::Events::Rule');
const eventRules = rules.filter(({ properties }) => properties['EventPattern'] !== undefined);
const patternOf = (rule: Resource): Pattern => rule.properties['EventPattern'] as Pattern;
const targetsOf = (rule: Resource): readonly Target[] => rule.properties['Targets'] as readonly Target[];
const rulesFor = (detailType: string) =>
  eventRules.filter((rule) => patternOf(rule)['detail-type'].includes(detailType));
const dlqName = (target: Target): unknown =>
  template.get(referenceOf(target.DeadLetterConfig?.Arn) ?? '').properties['QueueName'];

describe.each(detailTypes)('%s', (detailType) => {
  const { origin, consumers, delivery } = eventCatalogue[detailType];
  const [rule] = rulesFor(detailType);

  test('has exactly one rule, on the bus of the pipeline', () => {
    expect(rulesFor(detailType)).toHaveLength(1);
    const bus = template.get(referenceOf(rule!.properties['EventBusName']) ?? '');
    expect(bus.properties['Name']).toBe('dev-comfyui-events');
  });

  test('is taken from its own origin alone', () => {
    const expected = origin === 'monitor' ? [{ prefix: 'comfyui.monitor.' }] : ['comfyui.pipeline'];
    expect(patternOf(rule!).source).toEqual(expected);
  });

  test('reaches each of its consumers, and nobody else', () => {
    const reached = targetsOf(rule!).map(({ Arn }) => referenceOf(Arn));
    expect(reached).toEqual(consumers.map((name) => template.function(name).logicalId));
  });

  test('is retried as the catalogue says, then kept in the queue of the consumer', () => {
    targetsOf(rule!).forEach((target, index) => {
      expect(target.RetryPolicy).toEqual({
        MaximumRetryAttempts: delivery.maximumRetryAttempts,
        MaximumEventAgeInSeconds: delivery.maximumEventAgeSeconds,
      });
      expect(dlqName(target)).toBe(`dev-comfyui-${consumers[index]}-dlq`);
    });
  });
});

test('no rule waits for a detail-type that nobody publishes', () => {
  const awaited = eventRules.flatMap((rule) => patternOf(rule)['detail-type']);
  expect(awaited.filter((detailType) => !isDetailType(detailType))).toEqual([]);
  expect(awaited).toHaveLength(detailTypes.length);
});

describe('schedules', () => {
  const schedules = rules.filter(({ properties }) => properties['ScheduleExpression'] !== undefined);

  test('wake just the functions whose specification says so, as often as it says', () => {
    const woken = schedules.map((rule) => [
      referenceOf(targetsOf(rule)[0]!.Arn),
      rule.properties['ScheduleExpression'],
    ]);
    const expected = asyncFunctionNames.flatMap((name) => {
      const { everyMinutes } = functionSpecs[name];
      const rate = `rate(${everyMinutes} minute${everyMinutes === 1 ? '' : 's'})`;
      return everyMinutes === undefined ? [] : [[template.function(name).logicalId, rate]];
    });
    expect(woken).toEqual(expected);
    expect(woken).toContainEqual([template.function('dispatch').logicalId, 'rate(1 minute)']);
    expect(woken).toContainEqual([template.function('deliver-callbacks').logicalId, 'rate(1 minute)']);
  });

  test('have a dead-letter queue, and forget a tick that the next one makes good', () => {
    for (const rule of schedules) {
      const [target] = targetsOf(rule);
      expect(dlqName(target!)).toMatch(/^dev-comfyui-.*-dlq$/);
      expect(target!.RetryPolicy?.MaximumEventAgeInSeconds).toBe(60);
    }
  });
});

test('every rule may invoke the function of each of its targets', () => {
  const permitted = template
    .ofType('AWS::Lambda::Permission')
    .map(
      ({ properties }) =>
        `${referenceOf(properties['SourceArn'])} ${referenceOf(properties['FunctionName'])}`,
    );
  const needed = rules.flatMap((rule) =>
    targetsOf(rule).map(({ Arn }) => `${rule.logicalId} ${referenceOf(Arn)}`),
  );
  expect(needed.filter((pair) => !permitted.includes(pair))).toEqual([]);
});

test('every rule may send to the dead-letter queue of each of its targets', () => {
  const policies = template
    .ofType('AWS::SQS::QueuePolicy')
    .map(({ properties }) => JSON.stringify(properties));
  for (const rule of rules) {
    for (const target of targetsOf(rule)) {
      const queue = referenceOf(target.DeadLetterConfig?.Arn);
      const policy = policies.find((text) => text.includes(`"Queues":[{"Ref":"${queue}"}]`));
      expect(policy).toContain(`{"aws:SourceArn":{"Fn::GetAtt":["${rule.logicalId}","Arn"]}}`);
    }
  }
});

test('the archive keeps what the catalogue wants kept, and no snapshot', () => {
  const [archive] = template.ofType('AWS::Events::Archive');
  const archived = detailTypes.filter((detailType) => eventCatalogue[detailType].archived);
  expect(patternOf(archive!)['detail-type']).toEqual(archived);
  expect(archived).not.toContain('Node Progress Update');
});

test('every dead-letter queue is encrypted, keeps for 14 days and raises an alarm at the first message', () => {
  const queues = template.ofType('AWS::SQS::Queue');
  expect(queues).toHaveLength(asyncFunctionNames.length);
  const alarms = template.ofType('AWS::CloudWatch::Alarm').map(({ properties }) => properties);
  for (const { logicalId, properties } of queues) {
    expect(properties).toMatchObject({ SqsManagedSseEnabled: true, MessageRetentionPeriod: 14 * 86_400 });
    const alarm = alarms.find(({ Dimensions }) => JSON.stringify(Dimensions).includes(`"${logicalId}"`));
    expect(alarm).toMatchObject({
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: 1,
    });
  }
});
