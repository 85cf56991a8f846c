import type { ResourceProvider, ResourceRequest } from '../contract.ts';
import type { ApiRegistry } from './api-registry.ts';
import * as read from './properties.ts';
import { TokenBucket } from './token-bucket.ts';

const honoured = [
  'ApiId',
  'StageName',
  'StageVariables',
  'DefaultRouteSettings',
  'RouteSettings',
  'AccessLogSettings',
];
// Routes are live as soon as they exist, so neither kind of deployment changes what is served.
const inert = ['AutoDeploy', 'DeploymentId', 'Description', 'Tags'];
const throttleKeys = ['ThrottlingRateLimit', 'ThrottlingBurstLimit'];
const metricKeys = ['DetailedMetricsEnabled', 'LoggingLevel', 'DataTraceEnabled'];
/** The account quota of API Gateway, for a stage that sets only one of the two. */
const accountRate = 10_000;
const accountBurst = 5_000;

/** `AWS::ApiGatewayV2::Stage`. `now` in milliseconds feeds the throttles. */
export function stageProvider(registry: ApiRegistry, now: () => number): ResourceProvider {
  return async (request) => {
    read.refuseUnknown(request, honoured, inert);
    const { protocol, model } = registry.apiOf(request);
    const name = read.requiredString(request, 'StageName');
    const legal = (name === '$default' && protocol === 'HTTP') || /^[A-Za-z0-9_-]{1,128}$/.test(name);
    if (!legal)
      throw read.propertyError(request, 'StageName', `is not a stage name of this kind of API: ${name}`);
    if (model.stages.has(name)) throw read.propertyError(request, 'StageName', `exists already: ${name}`);
    const defaults = request.properties['DefaultRouteSettings'];
    const logPath = 'AccessLogSettings';
    const logs = read.nestedObject(request, logPath, request.properties[logPath], [
      'DestinationArn',
      'Format',
    ]);
    model.stages.set(name, {
      name,
      variables: read.stringMap(request, 'StageVariables'),
      defaultThrottle: throttleOf(request, 'DefaultRouteSettings', defaults, now),
      routeThrottles: routeThrottles(request, now),
      logsAccess: logs !== undefined,
    });
    return { ref: name, attributes: {} };
  };
}

function routeThrottles(request: ResourceRequest, now: () => number): ReadonlyMap<string, TokenBucket> {
  const settings = request.properties['RouteSettings'];
  const buckets = new Map<string, TokenBucket>();
  if (settings === undefined) return buckets;
  if (!read.isPlainObject(settings)) throw read.propertyError(request, 'RouteSettings', 'must be an object');
  for (const [routeKey, value] of Object.entries(settings)) {
    const bucket = throttleOf(request, `RouteSettings.${routeKey}`, value, now);
    if (bucket) buckets.set(routeKey, bucket);
  }
  return buckets;
}

function throttleOf(
  request: ResourceRequest,
  path: string,
  value: unknown,
  now: () => number,
): TokenBucket | undefined {
  const settings = read.nestedObject(request, path, value, throttleKeys, metricKeys) ?? {};
  const rate = read.optionalNumber(request, `${path}.ThrottlingRateLimit`, settings['ThrottlingRateLimit']);
  const burst = read.optionalNumber(
    request,
    `${path}.ThrottlingBurstLimit`,
    settings['ThrottlingBurstLimit'],
  );
  if (rate === undefined && burst === undefined) return undefined;
  return new TokenBucket(rate ?? accountRate, burst ?? accountBurst, now);
}
