import { CfnOutput, Stack } from 'aws-cdk-lib/core';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { apiRoutes, type ApiFunction } from '../shared-types/api-routes.ts';
import { ApiFront } from './constructs/api-front.ts';
import { DeadLetterQueue } from './constructs/dead-letter-queue.ts';
import { EventRules, type Consumer } from './constructs/event-rules.ts';
import { grantPermissions, type PermissionTargets } from './constructs/function-permissions.ts';
import { LiveApi } from './constructs/live-api.ts';
import { MediaCdn } from './constructs/media-cdn.ts';
import { PageSite } from './constructs/page-site.ts';
import { PipelineBus } from './constructs/pipeline-bus.ts';
import { functionNameOf, PipelineFunction } from './constructs/pipeline-function.ts';
import { PipelineTable } from './constructs/pipeline-table.ts';
import { PrivateBucket } from './constructs/private-bucket.ts';
import { TaskApi } from './constructs/task-api.ts';
import { asyncFunctionNames, type AsyncFunction, type EnvKey, type FunctionName } from './function-specs.ts';
import { pascalCase } from './pascal-case.ts';
import { refuseOpenStage, type StageConfig } from './stage-config.ts';

export interface PipelineStackProps {
  readonly config: StageConfig;
  /** Folder that holds `<function>/index.mjs` for every function. */
  readonly assetRoot: string;
  /** Folder of the built page; read by a stage that deploys it. */
  readonly pageRoot?: string;
}

/** The whole control plane of one stage. */
export class PipelineStack extends Stack {
  readonly #props: PipelineStackProps;
  readonly #resources: PermissionTargets;
  readonly #environment: Readonly<Partial<Record<EnvKey, string>>>;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    const { config: given } = props;
    super(scope, id, {
      // The stage is in the name and not in the id, from which CDK derives logical ids: stages keep the same ones.
      stackName: `${given.stage}-comfyui-pipeline`,
      description: `ComfyUI event pipeline, stage ${given.stage}`,
      ...(given.account !== undefined && { env: { account: given.account } }),
    });
    refuseOpenStage(given);
    const page = given.page
      ? new PageSite(this, 'Page', { config: given, pageRoot: props.pageRoot ?? '' })
      : undefined;
    const config = page === undefined ? given : calledFrom(page.origin, given);
    this.#props = { ...props, config };
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
    const uploads = new PrivateBucket(this, 'Uploads', {
      removal,
      // A job takes its copy when it is submitted, and a file is meant for the jobs of the next days.
      expiryDays: 7,
      corsOrigins: config.corsOrigins,
      pagesMay: 'upload',
    });
    const cdn = new MediaCdn(this, 'Cdn', { bucket: media.bucket, config });
    const events = new PipelineBus(this, 'Events', config);
    const liveApi = new LiveApi(this, 'LiveApi', config);
    this.#resources = {
      table,
      mediaBucket: media.bucket,
      workflowBucket: workflows.bucket,
      uploadBucket: uploads.bucket,
      providerSecretArn: config.providerSecretArn,
      workerPools: config.workerPools,
      workerProviders: config.workerProviders,
      bus: events.bus,
      liveApi,
    };
    this.#environment = environmentOf(config, this.#resources, cdn);
    this.#consumeEvents();
    const taskApi = this.#serveTasks();
    this.#serveConnections();
    if (config.previews) this.#takePreviews(events);
    const front = new ApiFront(this, 'ApiFront', { api: taskApi.api, config });
    this.#outputs(front, cdn, events);
    if (page !== undefined) this.#publish(page, front, cdn);
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

  #consumer(name: AsyncFunction): Consumer {
    const { stage } = this.#props.config;
    const deadLetters = new DeadLetterQueue(this, `${pascalCase(name)}DeadLetters`, {
      stage,
      consumer: name,
    });
    return { function: this.#function(name, deadLetters).function, deadLetterQueue: deadLetters.queue };
  }

  #consumeEvents(): void {
    const consumers = Object.fromEntries(
      asyncFunctionNames.map((name) => [name, this.#consumer(name)]),
    ) as Record<AsyncFunction, Consumer>;
    const { stage } = this.#props.config;
    new EventRules(this, 'Rules', { stage, bus: this.#resources.bus, consumers });
  }

  #serveTasks(): TaskApi {
    const names = new Set(Object.values(apiRoutes).map((route) => route.function));
    const created: [ApiFunction, IFunction][] = [...names].map((name) => [
      name,
      this.#function(name).function,
    ]);
    const functions = Object.fromEntries(created) as Record<ApiFunction, IFunction>;
    const authorizeRequest = this.#function('authorize-request').function;
    return new TaskApi(this, 'TaskApi', { config: this.#props.config, functions, authorizeRequest });
  }

  #serveConnections(): void {
    this.#resources.liveApi.addRoutes({
      connect: this.#function('connect').function,
      disconnect: this.#function('disconnect').function,
      subscribe: this.#function('subscribe').function,
    });
  }

  #takePreviews(events: PipelineBus): void {
    const { functionArn, functionName } = this.#function('push-preview').function;
    events.admitToFunction(functionArn);
    new CfnOutput(this, 'PreviewFunctionName', { value: functionName });
  }

  #publish(page: PageSite, front: ApiFront, cdn: MediaCdn): void {
    const { liveApi, uploadBucket } = this.#resources;
    page.publish({
      apiUrl: front.url,
      webSocketUrl: liveApi.url,
      hosts: {
        api: front.url,
        webSocket: liveApi.origin,
        media: cdn.url,
        uploads: `https://${uploadBucket.bucketRegionalDomainName}`,
      },
    });
    new CfnOutput(this, 'PageUrl', { value: page.origin });
  }

  #outputs(front: ApiFront, cdn: MediaCdn, events: PipelineBus): void {
    const { table, mediaBucket, workflowBucket, uploadBucket, liveApi, bus } = this.#resources;
    const outputs: Readonly<Record<string, string>> = {
      ApiUrl: front.url,
      WebSocketUrl: liveApi.url,
      EventBusName: bus.eventBusName,
      EventBusArn: bus.eventBusArn,
      CdnDomain: cdn.distribution.distributionDomainName,
      CdnUrl: cdn.url,
      MediaBucketName: mediaBucket.bucketName,
      WorkflowBucketName: workflowBucket.bucketName,
      UploadBucketName: uploadBucket.bucketName,
      TableName: table.tableName,
      MonitorPolicyArn: events.monitorPolicy.managedPolicyArn,
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }
}

/** The page of the stage is one more that may call its API, read its media and upload. */
const calledFrom = (origin: string, config: StageConfig): StageConfig => ({
  ...config,
  corsOrigins: [...config.corsOrigins, origin],
});

const environmentOf = (
  config: StageConfig,
  resources: PermissionTargets,
  cdn: MediaCdn,
): Readonly<Partial<Record<EnvKey, string>>> => ({
  eventBusName: resources.bus.eventBusName,
  tableName: resources.table.tableName,
  mediaBucketName: resources.mediaBucket.bucketName,
  workflowBucketName: resources.workflowBucket.bucketName,
  uploadBucketName: resources.uploadBucket.bucketName,
  cdnUrl: cdn.url,
  webSocketApiEndpoint: resources.liveApi.url,
  workerAddressPolicy: config.workerAddressPolicy,
  outboundAddressPolicy: config.outboundAddressPolicy,
  storeTempOutputs: String(config.storeTempOutputs),
  prefetchDepth: String(config.prefetchDepth),
  maxRunningPerUser: String(config.maxRunningPerUser),
  workerLeaseSeconds: String(config.workerLeaseSeconds),
  workerPools: JSON.stringify(config.workerPools),
  workerProviders: JSON.stringify(config.workerProviders),
  providerSecretArn: config.providerSecretArn,
  previewFunctionName: config.previews ? functionNameOf('push-preview', config) : '',
  openAccess: String(config.auth.kind === 'none'),
  jwtIssuer: config.auth.kind === 'jwt' ? config.auth.issuer : '',
  jwtAudience: config.auth.kind === 'jwt' ? config.auth.audience : '',
});
