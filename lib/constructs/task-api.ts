import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import {
  apiRoutes,
  routeKeyOf,
  type ApiFunction,
  type ApiMethod,
  type ApiRoute,
} from '../../shared-types/api-routes.ts';
import { acknowledge } from '../acknowledge.ts';
import { pascalCase } from '../pascal-case.ts';
import type { StageConfig } from '../stage-config.ts';

export interface TaskApiProps {
  readonly config: StageConfig;
  readonly functions: Readonly<Record<ApiFunction, IFunction>>;
  /** Names the caller of every route but those of scope `none`. */
  readonly authorizeRequest: IFunction;
}

const routes: readonly [string, ApiRoute][] = Object.entries(apiRoutes);

/** The task API over HTTP: its routes are those of the table in `shared-types`. */
export class TaskApi extends Construct {
  readonly api: apigateway.HttpApi;

  constructor(scope: Construct, id: string, { config, functions, authorizeRequest }: TaskApiProps) {
    super(scope, id);
    const { corsOrigins } = config;
    this.api = new apigateway.HttpApi(this, 'Api', {
      apiName: `${config.stage}-comfyui-tasks`,
      createDefaultStage: false,
      ...(corsOrigins.length > 0 && { corsPreflight: callableFrom(corsOrigins) }),
    });
    this.#stage(config);
    this.#routes(functions, authorizerOf(authorizeRequest, config));
  }

  /** One integration a function, which all of its routes share. */
  #routes(functions: TaskApiProps['functions'], authorizer: HttpLambdaAuthorizer): void {
    const integrations = new Map<ApiFunction, HttpLambdaIntegration>();
    for (const [operationId, route] of routes) {
      const { function: name } = route;
      const integration =
        integrations.get(name) ?? new HttpLambdaIntegration(pascalCase(name), functions[name]);
      integrations.set(name, integration);
      this.#route(operationId, route, integration, authorizer);
    }
    const created = new apigateway.HttpRoute(this, 'Default', {
      httpApi: this.api,
      routeKey: apigateway.HttpRouteKey.DEFAULT,
      integration: new HttpLambdaIntegration('Unrouted', functions['api-reference']),
    });
    acknowledge(created, 'AwsSolutions-APIG4', 'It answers that there is no such route, whoever asks.');
  }

  #route(
    operationId: string,
    route: ApiRoute,
    integration: HttpLambdaIntegration,
    authorizer: HttpLambdaAuthorizer,
  ): void {
    const path = routeKeyOf(route).slice(route.method.length + 1);
    const created = new apigateway.HttpRoute(this, pascalCase(operationId), {
      httpApi: this.api,
      routeKey: apigateway.HttpRouteKey.with(path, methods[route.method]),
      integration,
      ...(route.scope !== 'none' && { authorizer }),
    });
    if (route.scope === 'none') acknowledge(created, 'AwsSolutions-APIG4', saysNothing);
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
}

const methods: Readonly<Record<ApiMethod, apigateway.HttpMethod>> = {
  GET: apigateway.HttpMethod.GET,
  POST: apigateway.HttpMethod.POST,
  PUT: apigateway.HttpMethod.PUT,
  PATCH: apigateway.HttpMethod.PATCH,
  DELETE: apigateway.HttpMethod.DELETE,
};

const saysNothing = 'The description of the API says nothing about anybody, and is the same for all.';

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

/**
 * Nothing is remembered between requests, so that a key is worth nothing from the moment it is revoked. Where a
 * caller may come without credentials the function is asked in any case; elsewhere API Gateway itself answers 401.
 */
const authorizerOf = (handler: IFunction, { auth }: StageConfig): HttpLambdaAuthorizer =>
  new HttpLambdaAuthorizer('TaskAuthorizer', handler, {
    responseTypes: [HttpLambdaResponseType.SIMPLE],
    identitySource: auth.kind === 'none' ? [] : ['$request.header.Authorization'],
    resultsCacheTtl: Duration.seconds(0),
  });

const { CorsHttpMethod } = apigateway;
const callableFrom = (origins: readonly string[]): apigateway.CorsPreflightOptions => ({
  allowOrigins: [...origins],
  allowMethods: [
    CorsHttpMethod.GET,
    CorsHttpMethod.POST,
    CorsHttpMethod.PUT,
    CorsHttpMethod.PATCH,
    CorsHttpMethod.DELETE,
  ],
  allowHeaders: ['authorization', 'content-type', 'content-encoding', 'idempotency-key'],
  exposeHeaders: ['location', 'retry-after'],
  maxAge: Duration.minutes(10),
});
