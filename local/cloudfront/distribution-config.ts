import * as z from 'zod';
import { EmbeddedAwsError } from '../contract.ts';
import type { ResourceRequest } from '../contract.ts';

const empty = z.array(z.unknown()).max(0, 'is not supported').optional();

/** Accepted unknowns change cost, caching or the certificate: nothing that one machine could show. */
const behaviorFields = {
  TargetOriginId: z.string(),
  ViewerProtocolPolicy: z.unknown().optional(),
  AllowedMethods: z.array(z.string()).default(['GET', 'HEAD']),
  CachedMethods: z.unknown().optional(),
  CachePolicyId: z.unknown().optional(),
  OriginRequestPolicyId: z.string().optional(),
  ResponseHeadersPolicyId: z.string().optional(),
  Compress: z.unknown().optional(),
  ForwardedValues: z.unknown().optional(),
  MinTTL: z.unknown().optional(),
  MaxTTL: z.unknown().optional(),
  DefaultTTL: z.unknown().optional(),
  SmoothStreaming: z.unknown().optional(),
  FunctionAssociations: z
    .array(
      z.strictObject({
        EventType: z.literal('viewer-request', 'must be viewer-request'),
        FunctionARN: z.string(),
      }),
    )
    .max(1)
    .default([]),
  LambdaFunctionAssociations: empty,
  TrustedKeyGroups: empty,
  TrustedSigners: empty,
};

const originSchema = z.strictObject({
  Id: z.string(),
  DomainName: z.string(),
  OriginPath: z.string().default(''),
  S3OriginConfig: z.unknown().optional(),
  CustomOriginConfig: z.unknown().optional(),
  OriginAccessControlId: z.string().optional(),
  ConnectionAttempts: z.unknown().optional(),
  ConnectionTimeout: z.unknown().optional(),
  OriginShield: z.unknown().optional(),
});

export const distributionSchema = z.strictObject({
  Tags: z.unknown().optional(),
  DistributionConfig: z.strictObject({
    Enabled: z.unknown().optional(),
    Comment: z.string().optional(),
    DefaultRootObject: z.string().default(''),
    Origins: z.array(originSchema).min(1),
    DefaultCacheBehavior: z.strictObject(behaviorFields),
    CacheBehaviors: z.array(z.strictObject({ PathPattern: z.string(), ...behaviorFields })).default([]),
    CustomErrorResponses: z
      .array(
        z.strictObject({
          ErrorCode: z.coerce.number(),
          ResponseCode: z.coerce.number().optional(),
          ResponsePagePath: z.string().optional(),
          ErrorCachingMinTTL: z.unknown().optional(),
        }),
      )
      .default([]),
    HttpVersion: z.unknown().optional(),
    IPV6Enabled: z.unknown().optional(),
    PriceClass: z.unknown().optional(),
    ViewerCertificate: z.unknown().optional(),
    Aliases: z.unknown().optional(),
    Logging: z.unknown().optional(),
    Restrictions: z.unknown().optional(),
    WebACLId: z.unknown().optional(),
  }),
});
export type DistributionConfig = z.infer<typeof distributionSchema>['DistributionConfig'];
export type Behavior = DistributionConfig['DefaultCacheBehavior'];

/** Throws `EmbeddedAwsError` naming logical id and property. */
export function parseProperties<T>(schema: z.ZodType<T>, request: ResourceRequest): T {
  const parsed = schema.safeParse(request.properties);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : '';
    return [issue.path.join('.'), keys, issue.message].filter((part) => part !== '').join(': ');
  });
  const message = `${request.type} ${request.logicalId}: ${problems.join('; ')}`;
  throw new EmbeddedAwsError('UnsupportedProperty', message, { cause: parsed.error });
}

/** `*` for any characters, `?` for one; the first pattern that fits wins. A leading slash may be left out. */
export function behaviorFor(config: DistributionConfig, path: string): Behavior {
  return (
    config.CacheBehaviors.find(({ PathPattern }) => fits(PathPattern, path)) ?? config.DefaultCacheBehavior
  );
}

function fits(pattern: string, path: string): boolean {
  const rooted = pattern.startsWith('/') || pattern.startsWith('*') ? pattern : `/${pattern}`;
  const source = rooted
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(path);
}
