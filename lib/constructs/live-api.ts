import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import type { StageConfig } from '../stage-config.ts';

export interface LiveRoutes {
  readonly connect: IFunction;
  readonly disconnect: IFunction;
  /** Serves `subscribe` and, to answer what no route knows, `$default`. */
  readonly subscribe: IFunction;
}

/** The WebSocket API that browsers follow their jobs on. Routes come later: their functions know its address. */
export class LiveApi extends Construct {
  readonly stageName = 'live';
  readonly apiId: string;
  /** `wss://host/stage`, what browsers open and functions derive the management API from. */
  readonly url: string;
  /** `wss://host`. */
  readonly origin: string;
  readonly #api: apigateway.WebSocketApi;

  constructor(scope: Construct, id: string, { stage, throttle }: StageConfig) {
    super(scope, id);
    this.#api = new apigateway.WebSocketApi(this, 'Api', { apiName: `${stage}-comfyui-live` });
    const deployed = new apigateway.WebSocketStage(this, 'Stage', {
      webSocketApi: this.#api,
      stageName: this.stageName,
      autoDeploy: true,
      ...(throttle && { throttle }),
    });
    acknowledge(
      deployed,
      'AwsSolutions-APIG1',
      'WebSocket access logs need a logging role set for the whole account and region, which no single stack should own; the functions log every connection.',
    );
    this.apiId = this.#api.apiId;
    // The attribute carries its scheme, so that the same template yields ws:// where there is no TLS.
    this.origin = this.#api.apiEndpoint;
    this.url = `${this.origin}/${this.stageName}`;
  }

  addRoutes({ connect, disconnect, subscribe }: LiveRoutes): void {
    const subscription = new WebSocketLambdaIntegration('Subscribe', subscribe);
    const connectRoute = this.#api.addRoute('$connect', {
      integration: new WebSocketLambdaIntegration('Connect', connect),
    });
    const otherRoutes = [
      this.#api.addRoute('$disconnect', {
        integration: new WebSocketLambdaIntegration('Disconnect', disconnect),
      }),
      this.#api.addRoute('subscribe', { integration: subscription }),
      this.#api.addRoute('$default', { integration: subscription }),
    ];
    acknowledge(connectRoute, 'AwsSolutions-APIG4', byTicket);
    for (const route of otherRoutes) acknowledge(route, 'AwsSolutions-APIG4', afterConnect);
  }
}

const byTicket =
  'The function of $connect redeems a one-time ticket, which only an authorized caller of the task API is given; an authorizer would have to use the ticket up before the connection is written.';
const afterConnect =
  'A WebSocket API authorizes $connect alone; every other route is reached over a connection that passed it.';
