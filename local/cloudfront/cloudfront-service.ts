import { createHash } from 'node:crypto';
import { Agent, createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AwsPlace, Log, ProvisionedResource, ResourceProviders, ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { S3Service } from '../s3/s3-service.ts';
import { distributionSchema, parseProperties } from './distribution-config.ts';
import type { Behavior, DistributionConfig } from './distribution-config.ts';
import { serveDistribution } from './distribution-server.ts';
import type { Origin } from './distribution-server.ts';
import { compileEdgeFunction } from './edge-function.ts';
import type { EdgeFunction } from './edge-function.ts';
import { MANAGED_POLICIES, responseHeadersPolicySchema } from './response-headers-policy.ts';
import type { HeadersPolicy } from './response-headers-policy.ts';

export interface CloudFrontOptions {
  readonly place: AwsPlace;
  readonly s3: S3Service;
  /** `http://host:port` of the API that is reached at this domain; undefined where it is none of this account. */
  readonly apiAt?: (domain: string) => string | undefined;
  /** Port by the Comment or logical id of a distribution; any free port otherwise. */
  readonly ports?: Readonly<Record<string, number>> | undefined;
  readonly log: Log;
}

/** Lets an API see everything of a request but its host: cookies, queries and all headers. */
const ALL_VIEWER_EXCEPT_HOST_HEADER = 'b689b0a8-53d0-40ab-baf2-68738e2966ac';

/** CloudFront in front of S3 and of APIs: each distribution listens on a port of its own, on 127.0.0.1 only. Nothing is cached. */
export class CloudFrontService {
  readonly providers: ResourceProviders = {
    'AWS::CloudFront::Distribution': (request) => this.#createDistribution(request),
    'AWS::CloudFront::ResponseHeadersPolicy': async (request) => this.#createPolicy(request),
    'AWS::CloudFront::OriginAccessControl': async (request) => named(request),
    'AWS::CloudFront::CachePolicy': async (request) => named(request),
    'AWS::CloudFront::Function': async (request) => this.#createFunction(request),
  };
  readonly #options: CloudFrontOptions;
  readonly #policies = new Map<string, HeadersPolicy>(Object.entries(MANAGED_POLICIES));
  readonly #functions = new Map<string, EdgeFunction>();
  readonly #servers = new Set<Server>();
  /** Connections to APIs. */
  readonly #agent = new Agent({ keepAlive: true });

  constructor(options: CloudFrontOptions) {
    this.#options = options;
  }

  async close(): Promise<void> {
    const servers = [...this.#servers];
    this.#servers.clear();
    this.#agent.destroy();
    await Promise.all(
      servers.map(async (server) => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }),
    );
  }

  async #createDistribution(request: ResourceRequest): Promise<ProvisionedResource> {
    const { DistributionConfig: config } = parseProperties(distributionSchema, request);
    const origins = this.#originsOf(request, config);
    for (const behavior of [config.DefaultCacheBehavior, ...config.CacheBehaviors])
      this.#checkBehavior(request, behavior, origins);
    const policy = (id: string) => this.#policies.get(id);
    const edge = (arn: string) => this.#functions.get(arn);
    const { s3, ports = {} } = this.#options;
    const options = { config, s3, origins, policy, edge, agent: this.#agent };
    const server = createServer((incoming, response) => {
      void serveDistribution(options, incoming, response);
    });
    const port = await listen(server, ports[config.Comment ?? ''] ?? ports[request.logicalId] ?? 0);
    this.#servers.add(server);
    this.#options.log('cloudfront.listening', { logicalId: request.logicalId, port });
    const { ref } = named(request);
    return { ref, attributes: { Id: ref, DomainName: `127.0.0.1:${port}` } };
  }

  #checkBehavior(request: ResourceRequest, behavior: Behavior, origins: ReadonlyMap<string, Origin>): void {
    const { TargetOriginId, ResponseHeadersPolicyId: policy, OriginRequestPolicyId: forwards } = behavior;
    const origin = origins.get(TargetOriginId);
    if (origin === undefined) throw refused(request, `there is no origin ${TargetOriginId}`);
    if (origin.kind === 'api' && forwards !== ALL_VIEWER_EXCEPT_HOST_HEADER)
      throw refused(request, `an API needs the OriginRequestPolicyId AllViewerExceptHostHeader`);
    if (policy !== undefined && !this.#policies.has(policy))
      throw refused(request, `unknown ResponseHeadersPolicyId ${policy}`);
    for (const { FunctionARN: arn } of behavior.FunctionAssociations)
      if (!this.#functions.has(arn)) throw refused(request, `unknown FunctionARN ${arn}`);
  }

  #originsOf(request: ResourceRequest, config: DistributionConfig): Map<string, Origin> {
    const { s3, apiAt = () => undefined } = this.#options;
    return new Map(
      config.Origins.map(({ Id, DomainName, OriginPath }): [string, Origin] => {
        const api = apiAt(DomainName);
        if (api !== undefined) return [Id, { kind: 'api', url: `${api}${OriginPath}` }];
        const bucket = s3.bucketOfDomain(DomainName);
        if (bucket !== undefined) return [Id, { kind: 'bucket', bucket }];
        throw refused(request, `origin ${Id} (${DomainName}) is neither a bucket nor an API of this account`);
      }),
    );
  }

  #createFunction(request: ResourceRequest): ProvisionedResource {
    const { ref } = named(request);
    const arn = `arn:aws:cloudfront::${this.#options.place.accountId}:function/${ref}`;
    this.#functions.set(arn, compileEdgeFunction(request));
    return { ref: arn, attributes: { FunctionARN: arn, 'FunctionMetadata.FunctionARN': arn, Stage: 'LIVE' } };
  }

  #createPolicy(request: ResourceRequest): ProvisionedResource {
    const { ResponseHeadersPolicyConfig: policy } = parseProperties(responseHeadersPolicySchema, request);
    const provisioned = named(request);
    this.#policies.set(provisioned.ref, policy);
    return provisioned;
  }
}

/** An id in the look of CloudFront's, the same at every start. */
function named(request: ResourceRequest): ProvisionedResource {
  const hash = createHash('sha256').update(`${request.stackName}/${request.logicalId}`).digest('hex');
  const ref = `E${hash.slice(0, 13).toUpperCase()}`;
  return { ref, attributes: { Id: ref } };
}

function refused(request: ResourceRequest, reason: string): EmbeddedAwsError {
  return new EmbeddedAwsError('UnsupportedProperty', `${request.type} ${request.logicalId}: ${reason}`);
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new EmbeddedAwsError(
          'PortUnavailable',
          `CloudFront cannot listen on 127.0.0.1:${port}: ${cause.message}`,
          {
            cause,
          },
        ),
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
