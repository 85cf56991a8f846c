import { Duration, Stack } from 'aws-cdk-lib/core';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import type { Bucket, IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import type { StageConfig } from '../stage-config.ts';

export interface MediaCdnProps {
  readonly bucket: Bucket;
  readonly config: StageConfig;
}

/**
 * Stored files were written by workflows of strangers: a page or an SVG among them must not run here. The
 * policy holds for every file, because a file's name does not bind what it contains.
 */
const nothingRuns = [
  "default-src 'none'",
  "img-src 'self' data:",
  "media-src 'self'",
  "style-src 'unsafe-inline'",
  "frame-ancestors 'none'",
  'sandbox',
].join('; ');

/** The media bucket's only reader, and the only way to it. */
export class MediaCdn extends Construct {
  readonly distribution: cloudfront.Distribution;
  /** `scheme://domain`, without a trailing slash. */
  readonly url: string;

  constructor(scope: Construct, id: string, { bucket, config }: MediaCdnProps) {
    super(scope, id);
    const overTls = config.cdnScheme === 'https';
    this.distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: `${config.stage} comfyui media`,
      defaultBehavior: {
        // CDK's classes miss its interfaces under exactOptionalPropertyTypes; the cast changes nothing.
        origin: S3BucketOrigin.withOriginAccessControl(bucket as IBucket, {
          originAccessControl: this.#accessControl(config),
        }),
        // A key is written once, so what the edge holds never goes stale.
        cachePolicy: cloudfront.CachePolicy.CACHING_OPTIMIZED,
        // Lets S3 answer a preflight; without the Origin header it refuses.
        originRequestPolicy: cloudfront.OriginRequestPolicy.CORS_S3_ORIGIN,
        responseHeadersPolicy: this.#headers(config),
        allowedMethods: cloudfront.AllowedMethods.ALLOW_GET_HEAD_OPTIONS,
        viewerProtocolPolicy: overTls
          ? cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS
          : cloudfront.ViewerProtocolPolicy.ALLOW_ALL,
      },
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      priceClass: cloudfront.PriceClass.PRICE_CLASS_100,
    });
    this.url = `${config.cdnScheme}://${this.distribution.distributionDomainName}`;
    this.#acknowledge();
  }

  #accessControl(config: StageConfig): cloudfront.S3OriginAccessControl {
    return new cloudfront.S3OriginAccessControl(this, 'AccessControl', {
      originAccessControlName: this.#nameIn(config),
      signing: cloudfront.Signing.SIGV4_ALWAYS,
    });
  }

  /** CloudFront knows one namespace for all regions of an account. At most 64 characters. */
  #nameIn({ stage }: StageConfig): string {
    return `${stage}-comfyui-media-${Stack.of(this).region}`;
  }

  #headers(config: StageConfig): cloudfront.ResponseHeadersPolicy {
    const { corsOrigins: origins } = config;
    return new cloudfront.ResponseHeadersPolicy(this, 'Headers', {
      responseHeadersPolicyName: this.#nameIn(config),
      comment: 'Nothing sniffed, nothing run, read by the pages of this stage',
      securityHeadersBehavior: {
        contentTypeOptions: { override: true },
        contentSecurityPolicy: { contentSecurityPolicy: nothingRuns, override: true },
        referrerPolicy: { referrerPolicy: cloudfront.HeadersReferrerPolicy.NO_REFERRER, override: true },
        strictTransportSecurity: { accessControlMaxAge: Duration.days(365), override: true },
      },
      ...(origins.length > 0 && { corsBehavior: readableFrom(origins) }),
    });
  }

  #acknowledge(): void {
    const { distribution } = this;
    acknowledge(
      distribution,
      'AwsSolutions-CFR1',
      'The media is for users wherever they are; no law or licence ties it to a country.',
    );
    acknowledge(
      distribution,
      'AwsSolutions-CFR2',
      'Only GET of objects with unguessable names: there is no input for a WAF rule to inspect.',
    );
    acknowledge(
      distribution,
      'AwsSolutions-CFR3',
      'Standard logs need a bucket with ACLs switched on, which every other bucket of the stack forbids.',
    );
    acknowledge(
      distribution,
      'AwsSolutions-CFR4',
      'The certificate of cloudfront.net comes with a minimum protocol that nobody can raise; it takes a domain and a certificate of the operator, which this stack does not have.',
    );
  }
}

const readableFrom = (origins: readonly string[]): cloudfront.ResponseHeadersCorsBehavior => ({
  accessControlAllowOrigins: [...origins],
  accessControlAllowMethods: ['GET', 'HEAD', 'OPTIONS'],
  accessControlAllowHeaders: ['Range'],
  accessControlExposeHeaders: ['Content-Length', 'Content-Range', 'ETag'],
  accessControlAllowCredentials: false,
  accessControlMaxAge: Duration.hours(1),
  originOverride: true,
});
