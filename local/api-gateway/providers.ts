import { createHash } from 'node:crypto';
import { EmbeddedAwsError } from '../contract.ts';
import type { ResourceProvider, ResourceProviders, ResourceRequest } from '../contract.ts';
import type { ApiModel, GatewayContext } from './api-model.ts';
import { readApi } from './api-provider.ts';
import { ApiRegistry } from './api-registry.ts';
import type { ApiProtocol } from './api-registry.ts';
import { authorizerProvider } from './authorizer-provider.ts';
import { propertyError, refuseUnknown } from './properties.ts';
import * as routes from './route-provider.ts';
import { stageProvider } from './stage-provider.ts';

/** Opens the listener of a new API and answers its endpoint. */
export type StartApi = (protocol: ApiProtocol, model: ApiModel) => Promise<string>;

/** Ten characters as AWS's ids have, the same on every start so that an address survives a restart. */
function idOf({ stackName, logicalId }: ResourceRequest): string {
  const digest = createHash('sha256').update(`${stackName}/${logicalId}`).digest();
  return digest.readBigUInt64BE().toString(36).padStart(13, '0').slice(-10);
}

/** Everything a template may say about API Gateway v2. */
export function createProviders(context: GatewayContext, start: StartApi): ResourceProviders {
  const registry = new ApiRegistry();
  return {
    'AWS::ApiGatewayV2::Api': apiProvider(registry, start),
    'AWS::ApiGatewayV2::Stage': stageProvider(registry, context.now),
    'AWS::ApiGatewayV2::Route': routes.routeProvider(registry, idOf),
    'AWS::ApiGatewayV2::Integration': routes.integrationProvider(registry, context.limits, idOf),
    'AWS::ApiGatewayV2::IntegrationResponse': routes.integrationResponseProvider(registry, idOf),
    'AWS::ApiGatewayV2::RouteResponse': routes.routeResponseProvider(registry, idOf),
    'AWS::ApiGatewayV2::Authorizer': authorizerProvider(registry, idOf),
    'AWS::ApiGatewayV2::Deployment': deploymentProvider(registry),
    'AWS::ApiGatewayV2::ApiMapping': unsupported,
    'AWS::ApiGatewayV2::DomainName': unsupported,
  };
}

function apiProvider(registry: ApiRegistry, start: StartApi): ResourceProvider {
  return async (request) => {
    const apiId = idOf(request);
    if (registry.has(apiId)) throw propertyError(request, 'Name', 'belongs to an API that exists already');
    const api = readApi(request, apiId);
    registry.add(api);
    const endpoint = await start(api.protocol, api.model);
    return { ref: apiId, attributes: { ApiEndpoint: endpoint, ApiId: apiId } };
  };
}

/** Routes are live at once, so a deployment is only a name here. */
function deploymentProvider(registry: ApiRegistry): ResourceProvider {
  return async (request) => {
    refuseUnknown(request, ['ApiId'], ['Description', 'StageName']);
    registry.apiOf(request);
    const ref = idOf(request);
    return { ref, attributes: { DeploymentId: ref } };
  };
}

const unsupported: ResourceProvider = async ({ stackName, logicalId, type }) => {
  const fix =
    'there are no custom domains here; use the endpoint of the API, or leave the resource out locally';
  throw new EmbeddedAwsError(
    'UnsupportedResource',
    `${stackName}/${logicalId}: ${type} is not supported: ${fix}`,
  );
};
