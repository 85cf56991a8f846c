/** Rules and targets as a template writes them; anything not listed is refused by name, never ignored. */
import * as z from 'zod';
import type { EventPattern } from './event-pattern.ts';
import type { Schedule } from './schedule-expression.ts';

const numberLike = z.coerce.number().int();

export const targetSchema = z.strictObject({
  Id: z.string(),
  Arn: z.string(),
  RoleArn: z.string().optional(),
  Input: z.string().optional(),
  InputPath: z.string().startsWith('$').optional(),
  InputTransformer: z
    .strictObject({
      InputPathsMap: z.record(z.string(), z.string()).optional(),
      InputTemplate: z.string().min(1),
    })
    .optional(),
  RetryPolicy: z
    .strictObject({
      MaximumRetryAttempts: numberLike.min(0).max(185).optional(),
      MaximumEventAgeInSeconds: numberLike.min(60).max(86_400).optional(),
    })
    .optional(),
  DeadLetterConfig: z.strictObject({ Arn: z.string().optional() }).optional(),
});
export type Target = z.infer<typeof targetSchema>;

export const ruleSchema = z.strictObject({
  Name: z.string().optional(),
  Description: z.string().optional(),
  EventBusName: z.string().optional(),
  EventPattern: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  ScheduleExpression: z.string().optional(),
  State: z.enum(['ENABLED', 'DISABLED', 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS']).optional(),
  RoleArn: z.string().optional(),
  Tags: z.unknown().optional(),
  Targets: z.array(targetSchema).max(5).optional(),
});

export interface Rule {
  readonly name: string;
  readonly arn: string;
  readonly busName: string;
  readonly enabled: boolean;
  readonly description?: string | undefined;
  readonly pattern?: EventPattern | undefined;
  readonly patternText?: string | undefined;
  readonly schedule?: Schedule | undefined;
  readonly scheduleText?: string | undefined;
  readonly targets: readonly Target[];
}
