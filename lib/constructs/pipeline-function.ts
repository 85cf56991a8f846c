import { join } from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { ENV } from '../../shared-types/env-names.ts';
import { functionSpecs, type EnvKey, type FunctionName } from '../function-specs.ts';
import type { StageConfig } from '../stage-config.ts';

export interface PipelineFunctionProps {
  readonly name: FunctionName;
  readonly config: StageConfig;
  /** Folder that holds `<name>/index.mjs`. */
  readonly assetRoot: string;
  /** Values of the variables that the specification names. */
  readonly environment: Readonly<Partial<Record<EnvKey, string>>>;
  /** Takes what the function could not handle; for functions that are invoked asynchronously. */
  readonly deadLetterQueue?: IQueue;
}

export const functionNameOf = (name: FunctionName, { stage }: StageConfig): string =>
  `${stage}-comfyui-${name}`;

/** One Lambda with a role, a log group and nothing shared. */
export class PipelineFunction extends Construct {
  readonly name: FunctionName;
  readonly function: lambda.Function;
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: PipelineFunctionProps) {
    super(scope, id);
    this.name = props.name;
    const spec = functionSpecs[props.name];
    const functionName = functionNameOf(props.name, props.config);
    const logGroup = this.#logGroup(functionName, props.config);
    this.role = this.#role(functionName, logGroup);
    const reserved = props.config.reservedConcurrency[props.name];
    this.function = new lambda.Function(this, 'Function', {
      functionName,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      handler: 'index.handler',
      code: lambda.Code.fromAsset(join(props.assetRoot, props.name)),
      role: this.role,
      logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      timeout: Duration.seconds(spec.timeoutSeconds),
      memorySize: spec.memoryMb,
      environment: environmentOf(props),
      ...(reserved !== undefined && { reservedConcurrentExecutions: reserved }),
    });
    if (props.deadLetterQueue) this.#retryThenKeep(props.deadLetterQueue);
  }

  #logGroup(functionName: string, config: StageConfig): logs.LogGroup {
    return new logs.LogGroup(this, 'Logs', {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: config.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  /** No managed policy: it would allow writing to every log group of the account. */
  #role(functionName: string, logGroup: logs.LogGroup): iam.Role {
    const role = new iam.Role(this, 'Role', {
      description: `Execution role of ${functionName}`,
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
      }),
    );
    return role;
  }

  #retryThenKeep(queue: IQueue): void {
    this.function.configureAsyncInvoke({ retryAttempts: 2, onFailure: new SqsDestination(queue) });
  }
}

/** @throws Error at synthesis when the stack has no value for a variable that the specification names */
const environmentOf = ({ name, config, environment }: PipelineFunctionProps): Record<string, string> => {
  const values: Record<string, string> = { [ENV.stage]: config.stage };
  for (const key of functionSpecs[name].env) {
    const value = environment[key];
    if (value === undefined) throw new Error(`${name} needs ${ENV[key]}, and the stack has no value for it`);
    values[ENV[key]] = value;
  }
  return values;
};
