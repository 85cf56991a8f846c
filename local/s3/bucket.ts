import { join } from 'node:path';
import * as z from 'zod';
import type { AwsPlace, ProvisionedResource, ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { CorsRule } from './cors.ts';
import { MultipartUploads } from './multipart.ts';
import { ObjectStore } from './object-store.ts';

export interface Bucket {
  readonly name: string;
  readonly createdAt: Date;
  readonly objects: ObjectStore;
  readonly uploads: MultipartUploads;
  readonly cors: readonly CorsRule[];
}

const corsRule = z.strictObject({
  Id: z.string().optional(),
  AllowedHeaders: z.array(z.string()).default([]),
  AllowedMethods: z.array(z.enum(['GET', 'PUT', 'HEAD', 'POST', 'DELETE'])),
  AllowedOrigins: z.array(z.string()),
  ExposedHeaders: z.array(z.string()).default([]),
  MaxAge: z.coerce.number().optional(),
});

/** What is accepted without effect changes nothing that a caller on one machine could see. */
const bucketSchema = z.strictObject({
  BucketName: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'not a bucket name')
    .optional(),
  CorsConfiguration: z.strictObject({ CorsRules: z.array(corsRule) }).optional(),
  VersioningConfiguration: z
    .strictObject({ Status: z.literal('Suspended', 'versioning is not supported') })
    .optional(),
  AccessControl: z.enum(['Private', 'LogDeliveryWrite', 'BucketOwnerFullControl']).optional(),
  BucketEncryption: z.unknown().optional(),
  LifecycleConfiguration: z.unknown().optional(),
  PublicAccessBlockConfiguration: z.unknown().optional(),
  OwnershipControls: z.unknown().optional(),
  LoggingConfiguration: z.unknown().optional(),
  Tags: z.unknown().optional(),
});

/** Throws `EmbeddedAwsError` naming logical id and property that is not supported. */
export function createBucket(request: ResourceRequest, dataDir: string): Bucket {
  const parsed = bucketSchema.safeParse(request.properties);
  if (!parsed.success) throw unsupported(request, parsed.error);
  const name = parsed.data.BucketName ?? generatedName(request);
  const objects = new ObjectStore(join(dataDir, name));
  const cors = parsed.data.CorsConfiguration?.CorsRules ?? [];
  return { name, createdAt: new Date(), objects, uploads: new MultipartUploads(objects), cors };
}

export function provisionedBucket(place: AwsPlace, name: string): ProvisionedResource {
  return {
    ref: name,
    attributes: {
      Arn: `arn:aws:s3:::${name}`,
      DomainName: `${name}.s3.amazonaws.com`,
      RegionalDomainName: regionalDomainName(place, name),
      DualStackDomainName: `${name}.s3.dualstack.${place.region}.amazonaws.com`,
      WebsiteURL: `http://${name}.s3-website.${place.region}.amazonaws.com`,
    },
  };
}

export function regionalDomainName(place: AwsPlace, bucket: string): string {
  return `${bucket}.s3.${place.region}.amazonaws.com`;
}

function generatedName(request: ResourceRequest): string {
  const name = `${request.stackName}-${request.logicalId}`.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-');
  return name.slice(0, 63).replace(/-+$/, '');
}

function unsupported(request: ResourceRequest, error: z.ZodError): EmbeddedAwsError {
  const problems = error.issues.map((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : '';
    return [issue.path.join('.'), keys, issue.message].filter((part) => part !== '').join(': ');
  });
  const message = `${request.type} ${request.logicalId}: ${problems.join('; ')}`;
  return new EmbeddedAwsError('UnsupportedProperty', message, { cause: error });
}
