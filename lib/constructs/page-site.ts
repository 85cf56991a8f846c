import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Stack } from 'aws-cdk-lib/core';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import type { Bucket, IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import { StageConfigError, type StageConfig } from '../stage-config.ts';
import { PageFiles } from './page-files.ts';
import { documentPolicy, headerPolicy, withPolicy, type PageHosts } from './page-policy.ts';
import { PrivateBucket } from './private-bucket.ts';

export interface PageSiteProps {
  readonly config: StageConfig;
  /** Folder of the built page: `index.html`, and files with a hash in their names below `assets`. */
  readonly pageRoot: string;
}

/** What the page talks to, and what its `config.json` says of it. */
export interface PageTargets {
  readonly apiUrl: string;
  readonly webSocketUrl: string;
  readonly hosts: PageHosts;
}

/**
 * The page on a domain of CloudFront's. Files come with `publish`, when it is known what the page talks to: that in
 * turn is told the page's origin, which exists only once the distribution does.
 */
export class PageSite extends Construct {
  readonly distribution: cloudfront.Distribution;
  /** `https://domain`, which is also where the page is. */
  readonly origin: string;
  readonly #bucket: Bucket;
  readonly #props: PageSiteProps;

  /** @throws StageConfigError when `pageRoot` holds no built page */
  constructor(scope: Construct, id: string, props: PageSiteProps) {
    super(scope, id);
    refuseWithoutPage(props.pageRoot);
    this.#props = props;
    const { config } = props;
    // A page that is open may ask for the files that it was built with, so none expires.
    const { bucket } = new PrivateBucket(this, 'Files', { removal: config.removal, corsOrigins: [] });
    this.#bucket = bucket;
    this.distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: `${config.stage} comfyui page`,
      defaultRootObject: 'index.html',
      defaultBehavior: {
        // CDK's classes miss its interfaces under exactOptionalPropertyTypes; the cast changes nothing.
        origin: S3BucketOrigin.withOriginAccessControl(bucket as IBucket, {
          originAccessControl: this.#accessControl(),
        }),
        // What says `no-cache` stays at the edge for the least time of this policy, which is a second.
        cachePolicy: cloudfront.CachePolicy.CACHING_OPTIMIZED,
        responseHeadersPolicy: this.#headers(),
        allowedMethods: cloudfront.AllowedMethods.ALLOW_GET_HEAD,
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
        compress: true,
      },
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      priceClass: cloudfront.PriceClass.PRICE_CLASS_100,
    });
    this.origin = `https://${this.distribution.distributionDomainName}`;
    this.#acknowledge();
  }

  /** Puts the page into the bucket: first the files that `index.html` names, then itself and `config.json`. */
  publish(targets: PageTargets): void {
    const { config, pageRoot } = this.#props;
    const { apiUrl, webSocketUrl, hosts } = targets;
    const built = readFileSync(join(pageRoot, 'index.html'), 'utf8');
    const indexHtml = withPolicy(built, documentPolicy(hosts));
    if (indexHtml === undefined)
      throw new StageConfigError('page.noHead', `index.html in "${pageRoot}" has no <head> for its policy`);
    const pageConfig = { apiUrl, webSocketUrl };
    new PageFiles(this, 'Content', { config, pageRoot, bucket: this.#bucket, indexHtml, pageConfig });
  }

  #accessControl(): cloudfront.S3OriginAccessControl {
    return new cloudfront.S3OriginAccessControl(this, 'AccessControl', {
      originAccessControlName: this.#nameInAccount(),
      signing: cloudfront.Signing.SIGV4_ALWAYS,
    });
  }

  /** CloudFront knows one namespace for all regions of an account. At most 64 characters. */
  #nameInAccount(): string {
    return `${this.#props.config.stage}-comfyui-page-${Stack.of(this).region}`;
  }

  #headers(): cloudfront.ResponseHeadersPolicy {
    const { region, urlSuffix } = Stack.of(this);
    return new cloudfront.ResponseHeadersPolicy(this, 'Headers', {
      responseHeadersPolicyName: this.#nameInAccount(),
      comment: 'The page runs its own code, talks to this kind of stack only, and is shown in no frame',
      securityHeadersBehavior: {
        contentSecurityPolicy: {
          contentSecurityPolicy: headerPolicy(region, urlSuffix),
          override: true,
        },
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: cloudfront.HeadersFrameOption.DENY, override: true },
        referrerPolicy: { referrerPolicy: cloudfront.HeadersReferrerPolicy.NO_REFERRER, override: true },
        strictTransportSecurity: {
          accessControlMaxAge: Duration.days(365),
          includeSubdomains: true,
          override: true,
        },
      },
      customHeadersBehavior: {
        customHeaders: [
          { header: 'Permissions-Policy', value: noPowers, override: true },
          { header: 'Cross-Origin-Opener-Policy', value: 'same-origin', override: true },
          { header: 'Cross-Origin-Resource-Policy', value: 'same-origin', override: true },
        ],
      },
    });
  }

  #acknowledge(): void {
    const { distribution } = this;
    acknowledge(
      distribution,
      'AwsSolutions-CFR1',
      'The page is for users wherever they are; no law or licence ties it to a country.',
    );
    acknowledge(
      distribution,
      'AwsSolutions-CFR2',
      'Only GET of a handful of static files: there is no input for a WAF rule to inspect.',
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

const refuseWithoutPage = (pageRoot: string): void => {
  if (pageRoot !== '' && existsSync(join(pageRoot, 'index.html'))) return;
  throw new StageConfigError(
    'page.missing',
    `no built page in "${pageRoot}"; run npx vite build --config web/vite.config.ts`,
  );
};

const noPowers = ['camera', 'display-capture', 'geolocation', 'microphone', 'payment', 'usb']
  .map((feature) => `${feature}=()`)
  .join(', ');
