import { Fn, Stack } from 'aws-cdk-lib/core';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { Construct } from 'constructs';
import { MAX_TASK_BODY_BYTES, TASK_BODY_TOO_LARGE } from '../../shared-types/task-api.ts';
import { acknowledge } from '../acknowledge.ts';
import { edgeRefusalCode } from '../edge-refusal.ts';
import type { StageConfig } from '../stage-config.ts';

export interface ApiFrontProps {
  readonly api: HttpApi;
  readonly config: StageConfig;
}

/**
 * Where callers reach the task API: a body that its functions could not take is refused here, in words, for API Gateway
 * has none of ours for it (decision 0009). Nothing is cached.
 */
export class ApiFront extends Construct {
  /** `scheme://domain`, without a trailing slash. */
  readonly url: string;

  constructor(scope: Construct, id: string, { api, config }: ApiFrontProps) {
    super(scope, id);
    const overTls = config.cdnScheme === 'https';
    const distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: `${config.stage}-comfyui-api`,
      defaultBehavior: {
        origin: new HttpOrigin(Fn.parseDomainName(api.apiEndpoint)),
        cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED,
        originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL,
        viewerProtocolPolicy: overTls
          ? cloudfront.ViewerProtocolPolicy.HTTPS_ONLY
          : cloudfront.ViewerProtocolPolicy.ALLOW_ALL,
        functionAssociations: [
          {
            function: this.#refusal(config),
            eventType: cloudfront.FunctionEventType.VIEWER_REQUEST,
          },
        ],
      },
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      priceClass: cloudfront.PriceClass.PRICE_CLASS_100,
    });
    this.url = `${config.cdnScheme}://${distribution.distributionDomainName}`;
    acknowledge(
      distribution,
      'AwsSolutions-CFR1',
      'The API is for users wherever they are; no law or licence ties it to a country.',
    );
    acknowledge(
      distribution,
      'AwsSolutions-CFR2',
      'API Gateway authorizes and throttles each request, and the API can be reached past this distribution, so that a WAF belongs to a deployment that closes that way with a domain of its own.',
    );
    acknowledge(
      distribution,
      'AwsSolutions-CFR3',
      'API Gateway logs each request; standard logs need a bucket with ACLs switched on, which every other bucket of the stack forbids.',
    );
    acknowledge(
      distribution,
      'AwsSolutions-CFR4',
      'The certificate of cloudfront.net comes with a minimum protocol that nobody can raise; it takes a domain and a certificate of the operator, which this stack does not have.',
    );
  }

  #refusal({ stage, corsOrigins }: StageConfig): cloudfront.Function {
    return new cloudfront.Function(this, 'Refusal', {
      // CloudFront knows one namespace for all regions of an account. At most 64 characters.
      functionName: `${stage}-comfyui-api-${Stack.of(this).region}`,
      comment: 'Says what to do with a body that is too large',
      runtime: cloudfront.FunctionRuntime.JS_2_0,
      code: cloudfront.FunctionCode.fromInline(
        edgeRefusalCode({ maxBytes: MAX_TASK_BODY_BYTES, tooLarge: TASK_BODY_TOO_LARGE, corsOrigins }),
      ),
    });
  }
}
