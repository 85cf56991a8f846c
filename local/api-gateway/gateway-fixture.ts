/** A gateway with a programmable Lambda behind it, for the tests of this folder. */
import type { FunctionInvoker, InvokeResult, Log, ResourceRequest } from '../contract.ts';
import { ApiGatewayService } from './api-gateway-service.ts';
import type { ApiGatewayOptions } from './api-gateway-service.ts';

const place = { region: 'eu-west-1', accountId: '123456789012' };

type Handler = (event: Readonly<Record<string, unknown>>) => unknown;

/** Functions by name; each answers with its handler's JSON, every event is kept. */
export class FakeFunctions implements FunctionInvoker {
  readonly #handlers = new Map<string, Handler>();
  readonly calls: { readonly name: string; readonly event: Record<string, unknown> }[] = [];

  on(name: string, handler: Handler): void {
    this.#handlers.set(name, handler);
  }

  events(name: string): Record<string, unknown>[] {
    return this.calls.filter((call) => call.name === name).map((call) => call.event);
  }

  async invoke(functionArn: string, payload: string): Promise<InvokeResult> {
    const name = functionArn.split(':').at(-1) ?? '';
    const handler = this.#handlers.get(name);
    if (!handler) throw new Error(`no function ${name}`);
    const event = JSON.parse(payload) as Record<string, unknown>;
    this.calls.push({ name, event });
    try {
      const answer = await handler(event);
      if (answer === throttled) return { kind: 'throttled' };
      if (answer instanceof RawPayload) return { kind: 'ok', payload: answer.text };
      return { kind: 'ok', payload: JSON.stringify(answer) ?? 'null' };
    } catch (error) {
      return { kind: 'functionError', errorType: 'Error', errorMessage: (error as Error).message };
    }
  }

  async invokeAsync(functionArn: string, payload: string): Promise<void> {
    await this.invoke(functionArn, payload);
  }
}

/** What a handler returns to play a function out of concurrency. */
export const throttled = Symbol('throttled');

/** What a handler returns to answer with text that is not what JSON.stringify would write. */
export class RawPayload {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export const functionArn = (name: string): string => `arn:aws:lambda:eu-west-1:123456789012:function:${name}`;
export const integrationUri = (name: string): string =>
  `arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${functionArn(name)}/invocations`;

/** Provisions resources one by one, as the template engine does after resolving intrinsics. */
export class Gateway {
  readonly functions = new FakeFunctions();
  readonly log: { readonly event: string; readonly data: Readonly<Record<string, unknown>> | undefined }[] =
    [];
  readonly service: ApiGatewayService;
  #count = 0;

  constructor(options: Partial<ApiGatewayOptions> = {}) {
    const log: Log = (event, data) => void this.log.push({ event, data });
    this.service = new ApiGatewayService({ place, invoker: this.functions, log, ...options });
  }

  async create(type: string, properties: Record<string, unknown>, logicalId = `R${(this.#count += 1)}`) {
    const request: ResourceRequest = {
      stackName: 'Stack',
      logicalId,
      type: `AWS::ApiGatewayV2::${type}`,
      properties,
    };
    const provider = this.service.providers[request.type];
    if (!provider) throw new Error(`no provider for ${request.type}`);
    return provider(request);
  }

  async api(protocol: 'HTTP' | 'WEBSOCKET', properties: Record<string, unknown> = {}) {
    const selection = protocol === 'WEBSOCKET' ? { RouteSelectionExpression: '$request.body.action' } : {};
    const api = await this.create('Api', {
      Name: 'api',
      ProtocolType: protocol,
      ...selection,
      ...properties,
    });
    return { apiId: api.ref, endpoint: api.attributes['ApiEndpoint'] ?? '' };
  }

  async stage(apiId: string, name: string, properties: Record<string, unknown> = {}) {
    return this.create('Stage', { ApiId: apiId, StageName: name, AutoDeploy: true, ...properties });
  }

  async route(apiId: string, key: string, functionName: string, properties: Record<string, unknown> = {}) {
    const integration = await this.create('Integration', {
      ApiId: apiId,
      IntegrationType: 'AWS_PROXY',
      IntegrationUri: integrationUri(functionName),
      PayloadFormatVersion: '2.0',
    });
    const target = { Target: `integrations/${integration.ref}` };
    return this.create('Route', {
      ApiId: apiId,
      RouteKey: key,
      AuthorizationType: 'NONE',
      ...target,
      ...properties,
    });
  }
}

/** Waits until `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
