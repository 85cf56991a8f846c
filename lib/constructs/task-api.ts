import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import type { AuthConfig, StageConfig } from '../stage-config.ts';

export interface TaskApiProps {
  readonly config: StageConfig;
  readonly submitTask: IFunction;
  readonly getTask: IFunction;
}

/** The task API over HTTP. */
export class TaskApi extends Construct {
  readonly api: apigateway.HttpApi;

  constructor(scope: Construct, id: string, { config, submitTask, getTask }: TaskApiProps) {
    super(scope, id);
    const authorizer = authorizerOf(config.auth);
    this.api = new apigateway.HttpApi(this, 'Api', {
      apiName: `${config.stage}-comfyui-tasks`,
      createDefaultStage: false,
      ...(config.corsOrigins.length > 0 && { corsPreflight: callableFrom(config.corsOrigins) }),
      ...(authorizer && { defaultAuthorizer: authorizer }),
    });
    this.#stage(config);
    this.#route('SubmitTask', apigateway.HttpMethod.POST, '/api/v1/tasks', submitTask);
    this.#route('GetTask', apigateway.HttpMethod.GET, '/api/v1/tasks/{id}', getTask);
    if (config.auth.kind === 'none') this.#acknowledgeOpenRoutes();
  }

  #stage({ stage, throttle, logRetention }: StageConfig): void {
    const logGroup = new logs.LogGroup(this, 'AccessLogs', {
      // API Gateway may write below this prefix without a resource policy entry of its own.
      logGroupName: `/aws/vendedlogs/apis/${stage}-comfyui-tasks`,
      retention: logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new apigateway.HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      accessLogSettings: {
        destination: new apigateway.LogGroupLogDestination(logGroup),
        format: AccessLogFormat.custom(JSON.stringify(accessLogFields)),
      },
      ...(throttle && { throttle }),
    });
  }

  #route(id: string, method: apigateway.HttpMethod, path: string, handler: IFunction): void {
    const integration = new HttpLambdaIntegration(id, handler);
    this.api.addRoutes({ path, methods: [method], integration });
  }

  #acknowledgeOpenRoutes(): void {
    acknowledge(
      this.api,
      'AwsSolutions-APIG4',
      'Only the stage local is built without authentication, and it is pinned to an account that does not exist.',
    );
  }
}

/** Neither query nor body: both may hold what a log must not. */
const accessLogFields = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  sourceIp: '$context.identity.sourceIp',
  route: '$context.routeKey',
  status: '$context.status',
  responseBytes: '$context.responseLength',
  latencyMs: '$context.responseLatency',
  integrationError: '$context.integrationErrorMessage',
};

const authorizerOf = (auth: AuthConfig): HttpJwtAuthorizer | undefined =>
  auth.kind === 'jwt'
    ? new HttpJwtAuthorizer('TaskAuthorizer', auth.issuer, { jwtAudience: [auth.audience] })
    : undefined;

const callableFrom = (origins: readonly string[]): apigateway.CorsPreflightOptions => ({
  allowOrigins: [...origins],
  allowMethods: [apigateway.CorsHttpMethod.GET, apigateway.CorsHttpMethod.POST],
  allowHeaders: ['authorization', 'content-type'],
  exposeHeaders: ['location', 'retry-after'],
  maxAge: Duration.minutes(10),
});
