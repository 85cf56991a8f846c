import { CfnOutput, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { EventConsumer } from '../shared-types/event-catalogue.ts';
import { DeadLetterQueue } from './constructs/dead-letter-queue.ts';
import { EventRules, type Consumer } from './constructs/event-rules.ts';
import { grantPermissions, type PermissionTargets } from './constructs/function-permissions.ts';
import { LiveApi } from './constructs/live-api.ts';
import { MediaCdn } from './constructs/media-cdn.ts';
import { PipelineBus } from './constructs/pipeline-bus.ts';
import { PipelineFunction } from './constructs/pipeline-function.ts';
import { PipelineTable } from './constructs/pipeline-table.ts';
import { PrivateBucket } from './constructs/private-bucket.ts';
import { TaskApi } from './constructs/task-api.ts';
import { eventFunctionNames, type EnvKey, type FunctionName } from './function-specs.ts';
import type { StageConfig } from './stage-config.ts';

export interface PipelineStackProps {
  readonly config: StageConfig;
  /** Folder that holds `<function>/index.mjs` for every function. */
  readonly assetRoot: string;
}

/** The whole control plane of one stage. */
export class PipelineStack extends Stack {
  readonly #props: PipelineStackProps;
  readonly #resources: PermissionTargets;
  readonly #environment: Readonly<Partial<Record<EnvKey, string>>>;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    const { config } = props;
    super(scope, id, {
      // The stage is in the name and not in the id, from which CDK derives logical ids: stages keep the same ones.
      stackName: `${config.stage}-comfyui-pipeline`,
      description: `ComfyUI event pipeline, stage ${config.stage}`,
      ...(config.account !== undefined && { env: { account: config.account } }),
    });
    this.#props = props;
    const { removal } = config;
    const { table } = new PipelineTable(this, 'Storage', config);
    const media = new PrivateBucket(this, 'Media', {
      removal,
      expiryDays: config.mediaExpiryDays,
      corsOrigins: config.corsOrigins,
    });
    const workflows = new PrivateBucket(this, 'Workflows', {
      removal,
      expiryDays: config.workflowExpiryDays,
      corsOrigins: [],
    });
    const cdn = new MediaCdn(this, 'Cdn', { bucket: media.bucket, config });
    const events = new PipelineBus(this, 'Events', config);
    const liveApi = new LiveApi(this, 'LiveApi', config);
    this.#resources = {
      table,
      mediaBucket: media.bucket,
      workflowBucket: workflows.bucket,
      bus: events.bus,
      liveApi,
    };
    this.#environment = environmentOf(config, this.#resources, cdn);
    this.#consumeEvents();
    const taskApi = this.#serveTasks();
    this.#serveConnections();
    this.#outputs(taskApi, cdn, events);
  }

  #function(name: FunctionName, deadLetters?: DeadLetterQueue): PipelineFunction {
    const created = new PipelineFunction(this, pascalCase(name), {
      ...this.#props,
      name,
      environment: this.#environment,
      ...(deadLetters && { deadLetterQueue: deadLetters.queue }),
    });
    grantPermissions(created, this.#resources);
    return created;
  }

  #consumer(name: EventConsumer): Consumer {
    const { stage } = this.#props.config;
    const deadLetters = new DeadLetterQueue(this, `${pascalCase(name)}DeadLetters`, {
      stage,
      consumer: name,
    });
    return { function: this.#function(name, deadLetters).function, deadLetterQueue: deadLetters.queue };
  }

  #consumeEvents(): void {
    const consumers = Object.fromEntries(
      eventFunctionNames.map((name) => [name, this.#consumer(name)]),
    ) as Record<EventConsumer, Consumer>;
    const { stage } = this.#props.config;
    new EventRules(this, 'Rules', { stage, bus: this.#resources.bus, consumers });
  }

  #serveTasks(): TaskApi {
    return new TaskApi(this, 'TaskApi', {
      config: this.#props.config,
      submitTask: this.#function('submit-task').function,
      getTask: this.#function('get-task').function,
    });
  }

  #serveConnections(): void {
    const authorized = this.#props.config.auth.kind === 'jwt';
    this.#resources.liveApi.addRoutes({
      connect: this.#function('connect').function,
      disconnect: this.#function('disconnect').function,
      subscribe: this.#function('subscribe').function,
      authorizeConnection: authorized ? this.#function('authorize-connection').function : undefined,
    });
  }

  #outputs(taskApi: TaskApi, cdn: MediaCdn, events: PipelineBus): void {
    const { table, mediaBucket, workflowBucket, liveApi, bus } = this.#resources;
    const outputs: Readonly<Record<string, string>> = {
      ApiUrl: taskApi.api.apiEndpoint,
      WebSocketUrl: liveApi.url,
      EventBusName: bus.eventBusName,
      EventBusArn: bus.eventBusArn,
      CdnDomain: cdn.distribution.distributionDomainName,
      CdnUrl: cdn.url,
      MediaBucketName: mediaBucket.bucketName,
      WorkflowBucketName: workflowBucket.bucketName,
      TableName: table.tableName,
      MonitorPolicyArn: events.monitorPolicy.managedPolicyArn,
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }
}

const environmentOf = (
  config: StageConfig,
  resources: PermissionTargets,
  cdn: MediaCdn,
): Readonly<Partial<Record<EnvKey, string>>> => ({
  eventBusName: resources.bus.eventBusName,
  tableName: resources.table.tableName,
  mediaBucketName: resources.mediaBucket.bucketName,
  workflowBucketName: resources.workflowBucket.bucketName,
  cdnUrl: cdn.url,
  webSocketApiEndpoint: resources.liveApi.url,
  workerAddressPolicy: config.workerAddressPolicy,
  storeTempOutputs: String(config.storeTempOutputs),
  ...(config.auth.kind === 'jwt' && { jwtIssuer: config.auth.issuer, jwtAudience: config.auth.audience }),
});

const pascalCase = (name: string): string =>
  name.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
