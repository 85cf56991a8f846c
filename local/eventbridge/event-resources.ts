/** CloudFormation resources of EventBridge and its scheduler, turned into buses, rules, archives and schedules. */
import * as z from 'zod';
import type { AwsPlace, ProvisionedResource, ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { describeIssues } from './aws-json.ts';
import { EventPatternError } from './event-pattern-error.ts';
import { compileEventPattern, compileEventPatternText } from './event-pattern.ts';
import type { EventPattern } from './event-pattern.ts';
import type { Bus } from './bus-registry.ts';
import { ruleSchema } from './rule.ts';
import type { Rule } from './rule.ts';
import { parseSchedule } from './schedule-expression.ts';
import type { Schedule } from './schedule-expression.ts';

export const busSchema = z.strictObject({
  Name: z.string().min(1).max(256),
  Description: z.unknown().optional(),
  Tags: z.unknown().optional(),
  KmsKeyIdentifier: z.unknown().optional(),
  Policy: z.unknown().optional(),
  LogConfig: z.unknown().optional(),
});

export const archiveSchema = z.strictObject({
  ArchiveName: z.string().optional(),
  SourceArn: z.string(),
  Description: z.unknown().optional(),
  RetentionDays: z.coerce.number().optional(),
  EventPattern: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  KmsKeyIdentifier: z.unknown().optional(),
});

const retryPolicy = z.strictObject({
  MaximumRetryAttempts: z.coerce.number().int().min(0).max(185).optional(),
  MaximumEventAgeInSeconds: z.coerce.number().int().min(60).max(86_400).optional(),
});

export const scheduleSchema = z.strictObject({
  Name: z.string().optional(),
  GroupName: z.string().optional(),
  Description: z.unknown().optional(),
  KmsKeyArn: z.unknown().optional(),
  State: z.enum(['ENABLED', 'DISABLED']).optional(),
  ScheduleExpression: z.string(),
  ScheduleExpressionTimezone: z.literal('UTC', 'only UTC is supported').optional(),
  FlexibleTimeWindow: z.object({ Mode: z.enum(['OFF', 'FLEXIBLE']) }),
  Target: z.strictObject({
    Arn: z.string(),
    RoleArn: z.string(),
    Input: z.string().optional(),
    RetryPolicy: retryPolicy.optional(),
    DeadLetterConfig: z.strictObject({ Arn: z.string().optional() }).optional(),
  }),
});
export type ScheduleProperties = z.infer<typeof scheduleSchema>;

/** Parses the properties of a resource. Throws `EmbeddedAwsError` naming logical id and property. */
export function parseProperties<T>(schema: z.ZodType<T>, request: ResourceRequest): T {
  const parsed = schema.safeParse(request.properties);
  if (parsed.success) return parsed.data;
  const where = `${request.type} ${request.logicalId}`;
  throw new EmbeddedAwsError('UnsupportedProperty', `${where}: ${describeIssues(parsed.error)}`, {
    cause: parsed.error,
  });
}

export function generatedName(request: ResourceRequest): string {
  return `${request.stackName}-${request.logicalId}`;
}

export function ruleOf(
  request: ResourceRequest,
  bus: (name: string | undefined) => Bus,
  arnOf: (resource: string) => string,
): Rule {
  const properties = parseProperties(ruleSchema, request);
  const name = properties.Name ?? generatedName(request);
  const owner = bus(properties.EventBusName);
  const { EventPattern: pattern, ScheduleExpression: expression } = properties;
  if (pattern === undefined && expression === undefined) {
    throw new EmbeddedAwsError(
      'ValidationException',
      `Rule ${name}: EventPattern or ScheduleExpression is required`,
    );
  }
  if (expression !== undefined && owner.name !== 'default') {
    throw new EmbeddedAwsError(
      'ValidationException',
      `Rule ${name}: ScheduleExpression works on the default bus only`,
    );
  }
  return {
    name,
    arn: arnOf(owner.name === 'default' ? `rule/${name}` : `rule/${owner.name}/${name}`),
    busName: owner.name,
    enabled: properties.State !== 'DISABLED',
    description: properties.Description,
    pattern: namedPattern(name, pattern),
    patternText: typeof pattern === 'object' ? JSON.stringify(pattern) : pattern,
    schedule: expression === undefined ? undefined : namedSchedule(name, expression),
    scheduleText: expression,
    targets: properties.Targets ?? [],
  };
}

/** Compiles once, at creation: a pattern that AWS would refuse must not start. */
export function namedPattern(rule: string, pattern: string | object | undefined): EventPattern | undefined {
  if (pattern === undefined) return undefined;
  try {
    return typeof pattern === 'string' ? compileEventPatternText(pattern) : compileEventPattern(pattern);
  } catch (error) {
    throw EventPatternError.ofRule(rule, error);
  }
}

export function namedSchedule(rule: string, expression: string): Schedule {
  try {
    return parseSchedule(expression);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EmbeddedAwsError('ValidationException', `Rule ${rule}: ${reason}`, { cause: error });
  }
}

export function provisionedSchedule(place: AwsPlace, name: string, group: string): ProvisionedResource {
  const arn = `arn:aws:scheduler:${place.region}:${place.accountId}:schedule/${group}/${name}`;
  return { ref: name, attributes: { Arn: arn } };
}
