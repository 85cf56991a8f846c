import { createHash } from 'node:crypto';
import type { AwsPlace, ProvisionedResource, ResourceRequest } from '../contract.ts';

interface InertType {
  /** Why leaving it out changes nothing of what a program sees on one machine. */
  readonly reason: string;
  /** The property that names it; only this one is resolved. */
  readonly nameProperty?: string;
  readonly arn?: (place: AwsPlace, name: string) => string;
}

const iam = (kind: string): NonNullable<InertType['arn']> => {
  return (place, name) => `arn:aws:iam::${place.accountId}:${kind}/${name}`;
};
const logs = (place: AwsPlace, name: string): string =>
  `arn:aws:logs:${place.region}:${place.accountId}:log-group:${name}:*`;
const alarm = (place: AwsPlace, name: string): string =>
  `arn:aws:cloudwatch:${place.region}:${place.accountId}:alarm:${name}`;

const permissions = 'permissions are not checked on one machine';
const monitoring = 'no metrics are collected on one machine';
const synthesis = 'it only concerns CDK and CloudFormation themselves';

/** Resource types that need nothing at run time. They still answer `Ref` and `Fn::GetAtt Arn`. */
export const inertTypes: Readonly<Record<string, InertType>> = {
  'AWS::IAM::Role': { reason: permissions, nameProperty: 'RoleName', arn: iam('role') },
  'AWS::IAM::Policy': { reason: permissions, nameProperty: 'PolicyName' },
  'AWS::IAM::ManagedPolicy': { reason: permissions, nameProperty: 'ManagedPolicyName', arn: iam('policy') },
  'AWS::IAM::InstanceProfile': {
    reason: permissions,
    nameProperty: 'InstanceProfileName',
    arn: iam('instance-profile'),
  },
  'AWS::Lambda::Permission': { reason: permissions },
  'AWS::S3::BucketPolicy': { reason: permissions },
  'AWS::SQS::QueuePolicy': { reason: permissions },
  'AWS::Events::EventBusPolicy': { reason: permissions },
  'AWS::Logs::ResourcePolicy': { reason: permissions },
  'AWS::Logs::LogGroup': {
    reason: 'function output goes to the log of the process; API access logs are not written',
    nameProperty: 'LogGroupName',
    arn: logs,
  },
  'AWS::Logs::MetricFilter': { reason: monitoring },
  'AWS::CloudWatch::Alarm': { reason: monitoring, nameProperty: 'AlarmName', arn: alarm },
  'AWS::CloudWatch::CompositeAlarm': { reason: monitoring, nameProperty: 'AlarmName', arn: alarm },
  'AWS::CloudWatch::Dashboard': { reason: monitoring, nameProperty: 'DashboardName' },
  'AWS::CDK::Metadata': { reason: synthesis },
  'Custom::S3AutoDeleteObjects': { reason: 'it acts only when a stack is deleted' },
  'Custom::LogRetention': { reason: 'logs are kept in memory only' },
};

/** Stands in for an inert resource: a stable name, and an ARN of the right form. */
export function provideInert(request: ResourceRequest, place: AwsPlace): ProvisionedResource {
  const { nameProperty, arn } = inertTypes[request.type] ?? {};
  const given = nameProperty === undefined ? undefined : request.properties[nameProperty];
  const ref = typeof given === 'string' ? given : generatedName(request);
  const attributes = { Arn: arn?.(place, ref) ?? ref, Id: ref, RoleId: ref };
  return { ref: request.type === 'AWS::IAM::ManagedPolicy' ? attributes.Arn : ref, attributes };
}

/** CloudFormation's form of a generated name, but the same at every start: `stack-logicalId-12 characters`. */
export function generatedName(request: ResourceRequest, maxLength = 64): string {
  const id = `${request.stackName}/${request.logicalId}`;
  const suffix = createHash('sha256').update(id).digest('hex').slice(0, 12).toUpperCase();
  return `${`${request.stackName}-${request.logicalId}`.slice(0, maxLength - 13)}-${suffix}`;
}
