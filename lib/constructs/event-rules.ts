import { Duration } from 'aws-cdk-lib/core';
import * as events from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import {
  detailTypes,
  eventCatalogue,
  MONITOR_SOURCE_PREFIX,
  PIPELINE_SOURCE,
  type DeliveryPolicy,
  type DetailType,
  type EventOrigin,
} from '../../shared-types/event-catalogue.ts';
import { asyncFunctionNames, functionSpecs, type AsyncFunction } from '../function-specs.ts';
import { pascalCase } from '../pascal-case.ts';

export interface EventRulesProps {
  readonly stage: string;
  readonly bus: events.EventBus;
  readonly consumers: Readonly<Record<AsyncFunction, Consumer>>;
}

export interface Consumer {
  readonly function: IFunction;
  readonly deadLetterQueue: IQueue;
}

/** A missed tick is made good by the next one. */
const tickDelivery: DeliveryPolicy = { maximumRetryAttempts: 1, maximumEventAgeSeconds: 60 };

/** One rule a detail-type, generated from the catalogue, and the ticks of the functions that have work which no event announces. */
export class EventRules extends Construct {
  constructor(scope: Construct, id: string, props: EventRulesProps) {
    super(scope, id);
    for (const detailType of detailTypes) this.#rule(detailType, props);
    for (const name of asyncFunctionNames) this.#schedule(name, props);
  }

  #schedule(name: AsyncFunction, { stage, consumers }: EventRulesProps): void {
    const { everyMinutes } = functionSpecs[name];
    if (everyMinutes === undefined) return;
    new events.Rule(this, `${pascalCase(name)}Schedule`, {
      ruleName: `${stage}-comfyui-${name}-schedule`,
      description: `Wakes ${name} for what no event announces, such as delays that end`,
      schedule: events.Schedule.rate(Duration.minutes(everyMinutes)),
      targets: [targetOf(consumers[name], tickDelivery)],
    });
  }

  #rule(detailType: DetailType, { stage, bus, consumers }: EventRulesProps): void {
    const { origin, delivery, consumers: names } = eventCatalogue[detailType];
    new events.Rule(this, detailType.replaceAll(' ', ''), {
      ruleName: `${stage}-comfyui-${detailType.toLowerCase().replaceAll(' ', '-')}`,
      description: `${detailType} for ${names.join(', ')}`,
      eventBus: bus,
      eventPattern: { source: sourceOf[origin](), detailType: [detailType] },
      targets: names.map((name) => targetOf(consumers[name], delivery)),
    });
  }
}

/** The source is part of the pattern: IAM pins it, so no monitor can forge an event of the pipeline. */
const sourceOf: Readonly<Record<EventOrigin, () => string[]>> = {
  monitor: () => events.Match.prefix(MONITOR_SOURCE_PREFIX),
  pipeline: () => [PIPELINE_SOURCE],
};

const targetOf = (consumer: Consumer, delivery: DeliveryPolicy): LambdaFunction =>
  new LambdaFunction(consumer.function, {
    deadLetterQueue: consumer.deadLetterQueue,
    retryAttempts: delivery.maximumRetryAttempts,
    maxEventAge: Duration.seconds(delivery.maximumEventAgeSeconds),
  });
