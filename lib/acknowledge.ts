import { Stack, Validations } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';

/** Accepts one cdk-nag finding on one construct. `reason` must be true of that construct. */
export const acknowledge = (construct: IConstruct, id: string, reason: string): void => {
  Validations.of(construct).acknowledge({ id, reason });
};

/** Accepts one ARN that ends in a wildcard; any other wildcard in the same policy is still a finding. */
export const acknowledgeWildcard = (construct: IConstruct, arn: string, reason: string): void => {
  const flat = flatten(Stack.of(construct).resolve(arn));
  acknowledge(construct, `AwsSolutions-IAM5[Resource::${flat}]`, reason);
};

/** The spelling in which cdk-nag names a resource: `<LogicalId.Attribute>` and `<Ref>`. */
const flatten = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) return String(value);
  if ('Ref' in value) return `<${String(value.Ref)}>`;
  if ('Fn::GetAtt' in value) return `<${(value['Fn::GetAtt'] as readonly string[]).join('.')}>`;
  if (!('Fn::Join' in value)) return JSON.stringify(value);
  const [delimiter, parts] = value['Fn::Join'] as readonly [string, readonly unknown[]];
  return parts.map(flatten).join(delimiter);
};
