import { CfnResource, Duration, Stack } from 'aws-cdk-lib/core';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import {
  detailTypes,
  eventCatalogue,
  MONITOR_SOURCE_PREFIX,
  PIPELINE_SOURCE,
} from '../../shared-types/event-catalogue.ts';
import type { StageConfig } from '../stage-config.ts';

/** The bus, who may publish on it, and what is kept for replay. */
export class PipelineBus extends Construct {
  readonly bus: events.EventBus;
  /** For the role of a pod that carries the tag `workerId`: publishes as that worker and no other. */
  readonly monitorPolicy: iam.ManagedPolicy;

  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id);
    this.bus = new events.EventBus(this, 'Bus', { eventBusName: `${config.stage}-comfyui-events` });
    this.#admitOwnAccount();
    this.#keepForReplay(config);
    this.monitorPolicy = new iam.ManagedPolicy(this, 'MonitorPublishPolicy', {
      description: 'Publish on the event bus as the worker that the principal is tagged with',
      statements: [this.#publishAsTaggedWorker()],
    });
  }

  /** Lets monitors invoke just this function. */
  admitToFunction(functionArn: string): void {
    this.monitorPolicy.addStatements(
      new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [functionArn] }),
    );
  }

  #admitOwnAccount(): void {
    const statement = new iam.PolicyStatement({
      sid: 'OwnAccountOnly',
      principals: [new iam.AccountPrincipal(Stack.of(this).account)],
      actions: ['events:PutEvents'],
      resources: [this.bus.eventBusArn],
    });
    // Not CfnEventBusPolicy: it warns of a deprecated property at each synthesis, whether or not it is set.
    new CfnResource(this, 'Policy', {
      type: 'AWS::Events::EventBusPolicy',
      properties: {
        EventBusName: this.bus.eventBusName,
        StatementId: 'OwnAccountOnly',
        Statement: statement.toStatementJson(),
      },
    });
  }

  #keepForReplay(config: StageConfig): void {
    new events.Archive(this, 'Archive', {
      archiveName: `${config.stage}-comfyui-events`,
      sourceEventBus: this.bus,
      retention: Duration.days(config.archiveDays),
      eventPattern: {
        source: events.Match.anyOf(events.Match.prefix(MONITOR_SOURCE_PREFIX), PIPELINE_SOURCE),
        detailType: detailTypes.filter((detailType) => eventCatalogue[detailType].archived),
      },
    });
  }

  /** A principal without the tag has no source to match and is refused. */
  #publishAsTaggedWorker(): iam.PolicyStatement {
    const ownSource = `${MONITOR_SOURCE_PREFIX}\${aws:PrincipalTag/workerId}`;
    return new iam.PolicyStatement({
      actions: ['events:PutEvents'],
      resources: [this.bus.eventBusArn],
      conditions: { StringEquals: { 'events:source': ownSource } },
    });
  }
}
