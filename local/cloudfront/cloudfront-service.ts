import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AwsPlace, Log, ProvisionedResource, ResourceProviders, ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { S3Service } from '../s3/s3-service.ts';
import { distributionSchema, parseProperties } from './distribution-config.ts';
import type { DistributionConfig } from './distribution-config.ts';
import { serveDistribution } from './distribution-server.ts';
import { MANAGED_POLICIES, responseHeadersPolicySchema } from './response-headers-policy.ts';
import type { HeadersPolicy } from './response-headers-policy.ts';

export interface CloudFrontOptions {
  readonly place: AwsPlace;
  readonly s3: S3Service;
  /** Port by the Comment or logical id of a distribution; any free port otherwise. */
  readonly ports?: Readonly<Record<string, number>> | undefined;
  readonly log: Log;
}

/** CloudFront in front of S3: each distribution listens on a port of its own, on 127.0.0.1 only. Nothing is cached. */
export class CloudFrontService {
  readonly providers: ResourceProviders = {
    'AWS::CloudFront::Distribution': (request) => this.#createDistribution(request),
    'AWS::CloudFront::ResponseHeadersPolicy': async (request) => this.#createPolicy(request),
    'AWS::CloudFront::OriginAccessControl': async (request) => named(request),
    'AWS::CloudFront::CachePolicy': async (request) => named(request),
    'AWS::CloudFront::Function': async (request) => {
      throw new EmbeddedAwsError(
        'UnsupportedResource',
        `${request.logicalId}: CloudFront functions are not supported`,
      );
    },
  };
  readonly #options: CloudFrontOptions;
  readonly #policies = new Map<string, HeadersPolicy>(Object.entries(MANAGED_POLICIES));
  readonly #servers = new Set<Server>();

  constructor(options: CloudFrontOptions) {
    this.#options = options;
  }

  async close(): Promise<void> {
    const servers = [...this.#servers];
    this.#servers.clear();
    await Promise.all(
      servers.map(async (server) => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }),
    );
  }

  async #createDistribution(request: ResourceRequest): Promise<ProvisionedResource> {
    const { DistributionConfig: config } = parseProperties(distributionSchema, request);
    const buckets = this.#bucketsOf(request, config);
    for (const behavior of [config.DefaultCacheBehavior, ...config.CacheBehaviors]) {
      const { TargetOriginId: origin, ResponseHeadersPolicyId: policy } = behavior;
      if (!buckets.has(origin)) throw refused(request, `there is no origin ${origin}`);
      if (policy !== undefined && !this.#policies.has(policy))
        throw refused(request, `unknown ResponseHeadersPolicyId ${policy}`);
    }
    const policy = (id: string) => this.#policies.get(id);
    const { s3, ports = {} } = this.#options;
    const server = createServer((incoming, response) => {
      void serveDistribution({ config, s3, buckets, policy }, incoming, response);
    });
    const port = await listen(server, ports[config.Comment ?? ''] ?? ports[request.logicalId] ?? 0);
    this.#servers.add(server);
    this.#options.log('cloudfront.listening', { logicalId: request.logicalId, port });
    const { ref } = named(request);
    return { ref, attributes: { Id: ref, DomainName: `127.0.0.1:${port}` } };
  }

  #bucketsOf(request: ResourceRequest, config: DistributionConfig): Map<string, string> {
    return new Map(
      config.Origins.map(({ Id, DomainName }) => {
        const bucket = this.#options.s3.bucketOfDomain(DomainName);
        if (bucket === undefined)
          throw refused(request, `origin ${Id} (${DomainName}) is not a bucket of this account`);
        return [Id, bucket];
      }),
    );
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
        new EmbeddedAwsError('PortInUse', `CloudFront cannot listen on 127.0.0.1:${port}: ${cause.message}`, {
          cause,
        }),
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
