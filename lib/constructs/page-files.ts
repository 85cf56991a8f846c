import { RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Bucket, IBucket } from 'aws-cdk-lib/aws-s3';
import * as deployment from 'aws-cdk-lib/aws-s3-deployment';
import { Construct } from 'constructs';
import { acknowledge, acknowledgeWildcard } from '../acknowledge.ts';
import type { StageConfig } from '../stage-config.ts';

export interface PageFilesProps {
  readonly config: StageConfig;
  /** Folder of the built page. */
  readonly pageRoot: string;
  readonly bucket: Bucket;
  /** May hold values that are known at deployment only. */
  readonly indexHtml: string;
  /** Becomes `config.json`; the same. */
  readonly pageConfig: Readonly<Record<string, string>>;
}

/** The files of the page, copied at deployment by a function of CDK's under a role of ours. */
export class PageFiles extends Construct {
  readonly #role: iam.Role;

  constructor(scope: Construct, id: string, props: PageFilesProps) {
    super(scope, id);
    const name = `${props.config.stage}-comfyui-page-files`;
    const logGroup = new logs.LogGroup(this, 'Logs', {
      logGroupName: `/aws/lambda/${name}`,
      retention: props.config.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.#role = this.#roleOf(name, logGroup, props.bucket);
    const copy = (
      step: string,
      sources: readonly deployment.ISource[],
      cacheControl: readonly deployment.CacheControl[],
    ): deployment.BucketDeployment => this.#copy(step, sources, cacheControl, logGroup, props.bucket);
    // Their names hold a hash of what they hold.
    const assets = deployment.Source.asset(props.pageRoot, { exclude: ['index.html', 'config.json'] });
    const hashed = copy('Hashed', [assets], immutable);
    const { indexHtml, pageConfig } = props;
    const entry = [
      deployment.Source.data('index.html', indexHtml),
      deployment.Source.jsonData('config.json', pageConfig),
    ];
    // After the files that it names: a page in two halves is never served.
    copy('Entry', entry, [deployment.CacheControl.noCache()]).node.addDependency(hashed);
    this.#acknowledge();
  }

  /** CDK keeps the one function of all deployments beside the constructs that use it. */
  #acknowledge(): void {
    const children = Stack.of(this).node.children.filter(({ node }) => node.id.startsWith(COPIER));
    for (const copier of children)
      acknowledge(
        copier,
        'AwsSolutions-L1',
        'CDK writes this function, and chooses the Python that it was tested with.',
      );
  }

  #copy(
    step: string,
    sources: readonly deployment.ISource[],
    cacheControl: readonly deployment.CacheControl[],
    logGroup: logs.LogGroup,
    bucket: Bucket,
  ): deployment.BucketDeployment {
    const created = new deployment.BucketDeployment(this, step, {
      sources: sources.map((source) => this.#readable(source)),
      // CDK's classes miss its interfaces under exactOptionalPropertyTypes; the cast changes nothing.
      destinationBucket: bucket as IBucket,
      cacheControl: [...cacheControl],
      // Files of earlier builds stay for the pages that are open.
      prune: false,
      memoryLimit: MEMORY_MB,
      logGroup,
      // CDK's own grants are wildcards of actions and objects.
      role: this.#role.withoutPolicyUpdates(),
    });
    created.node.addDependency(this.#role);
    return created;
  }

  /** Lets the role read just this one archive. */
  #readable(source: deployment.ISource): deployment.ISource {
    return {
      bind: (scope, context) => {
        const bound = source.bind(scope, context);
        this.#allow(['s3:GetObject'], bound.bucket.arnForObjects(bound.zipObjectKey));
        return bound;
      },
    };
  }

  #roleOf(name: string, logGroup: logs.LogGroup, bucket: Bucket): iam.Role {
    const role = new iam.Role(this, 'Role', {
      description: `Copies the page at deployment, and writes to ${name}`,
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    });
    const objects = bucket.arnForObjects('*');
    acknowledgeWildcard(
      role,
      objects,
      'The bucket is the page, and its files are named after what they hold.',
    );
    for (const [actions, arn] of [
      [['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn],
      // It compares what is there with what it has.
      [['s3:ListBucket'], bucket.bucketArn],
      [['s3:PutObject', 's3:AbortMultipartUpload'], objects],
    ] as const)
      role.addToPolicy(new iam.PolicyStatement({ actions: [...actions], resources: [arn] }));
    return role;
  }

  #allow(actions: readonly string[], arn: string): void {
    this.#role.addToPolicy(new iam.PolicyStatement({ actions: [...actions], resources: [arn] }));
  }
}

const COPIER = 'Custom::CDKBucketDeployment';
/** It unpacks archives of a few hundred kilobytes with the AWS CLI. */
const MEMORY_MB = 512;

const { CacheControl } = deployment;
const immutable = [
  CacheControl.setPublic(),
  CacheControl.fromString('max-age=31536000'),
  CacheControl.immutable(),
];
