import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';

export interface PrivateBucketProps {
  readonly removal: 'destroy' | 'retain';
  /** Days after which an object is deleted; none are without it. */
  readonly expiryDays?: number;
  /** Origins of pages that may reach objects; none for a bucket that no page touches. */
  readonly corsOrigins: readonly string[];
  /** What such a page may do: GET what is there, or PUT to a presigned URL. */
  readonly pagesMay?: 'read' | 'upload';
}

/** A bucket that nobody reaches but through IAM and TLS. */
export class PrivateBucket extends Construct {
  readonly bucket: s3.Bucket;

  constructor(scope: Construct, id: string, props: PrivateBucketProps) {
    super(scope, id);
    this.bucket = new s3.Bucket(this, 'Bucket', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: props.removal === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      lifecycleRules: [
        {
          ...(props.expiryDays !== undefined && { expiration: Duration.days(props.expiryDays) }),
          abortIncompleteMultipartUploadAfter: Duration.days(1),
        },
      ],
      ...(props.corsOrigins.length > 0 && {
        cors: [
          props.pagesMay === 'upload' ? writableFrom(props.corsOrigins) : readableFrom(props.corsOrigins),
        ],
      }),
    });
    acknowledge(
      this.bucket,
      'AwsSolutions-S1',
      'Server access logs need a second bucket that grows without bound; CloudTrail data events can be switched on where an audit asks for them.',
    );
  }
}

const readableFrom = (origins: readonly string[]): s3.CorsRule => ({
  allowedMethods: [s3.HttpMethods.GET, s3.HttpMethods.HEAD],
  allowedOrigins: [...origins],
  allowedHeaders: ['Range'],
  exposedHeaders: ['Content-Length', 'Content-Range', 'ETag'],
  maxAge: 3600,
});

const writableFrom = (origins: readonly string[]): s3.CorsRule => ({
  allowedMethods: [s3.HttpMethods.PUT],
  allowedOrigins: [...origins],
  // Which ones count is what the URL was signed for.
  allowedHeaders: ['*'],
  maxAge: 3600,
});
