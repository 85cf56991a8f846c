import type { AwsPlace, ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import * as z from 'zod';
import { generatedName } from '../template/inert-resources.ts';

/** One Lambda function as its template describes it. */
export interface FunctionDefinition {
  readonly name: string;
  readonly arn: string;
  /** Absolute path of the unpacked code. */
  readonly codeDirectory: string;
  readonly handler: string;
  readonly runtime: string;
  readonly timeoutSeconds: number;
  readonly memoryMegabytes: number;
  readonly environment: Readonly<Record<string, string>>;
  /** At most so many invocations at once; more are throttled. */
  readonly reservedConcurrency?: number;
  /** ARN of the queue that takes events whose attempts all failed. */
  readonly deadLetterArn?: string;
}

const count = z.coerce.number().int().min(0);
const propertiesSchema = z.object({
  FunctionName: z.string().optional(),
  Code: z.object({ S3Key: z.string().optional(), ZipFile: z.string().optional() }).loose(),
  Handler: z.string(),
  Runtime: z.string().regex(/^nodejs/, 'is not supported: only the nodejs runtimes run here'),
  PackageType: z.literal('Zip').default('Zip'),
  Timeout: count.max(900).default(3),
  MemorySize: count.min(128).max(10_240).default(128),
  Environment: z.object({ Variables: z.record(z.string(), z.coerce.string()).default({}) }).optional(),
  ReservedConcurrentExecutions: count.optional(),
  DeadLetterConfig: z
    .object({
      TargetArn: z.string().regex(/^arn:[^:]+:sqs:/, 'must be an SQS queue: topics are not emulated'),
    })
    .optional(),
  Layers: z.array(z.unknown()).max(0, 'are not supported: bundle what the function needs').optional(),
});

/** Reads `AWS::Lambda::Function`. Throws `EmbeddedAwsError` naming the property that it cannot honour. */
export function parseFunction(
  request: ResourceRequest,
  place: AwsPlace,
  codeDirectoryOf: (code: { S3Key?: string | undefined; ZipFile?: string | undefined }) => string,
): FunctionDefinition {
  const properties = parseProperties(propertiesSchema, request);
  const name = properties.FunctionName ?? generatedName(request);
  const { ReservedConcurrentExecutions: reserved, DeadLetterConfig: deadLetter } = properties;
  return {
    name,
    arn: `arn:aws:lambda:${place.region}:${place.accountId}:function:${name}`,
    codeDirectory: codeDirectoryOf(properties.Code),
    handler: properties.Handler,
    runtime: properties.Runtime,
    timeoutSeconds: properties.Timeout,
    memoryMegabytes: properties.MemorySize,
    environment: properties.Environment?.Variables ?? {},
    ...(reserved === undefined ? {} : { reservedConcurrency: reserved }),
    ...(deadLetter ? { deadLetterArn: deadLetter.TargetArn } : {}),
  };
}

/** Properties by schema; the error is one line that names resource and property. */
export function parseProperties<Schema extends z.ZodType>(
  schema: Schema,
  request: ResourceRequest,
): z.output<Schema> {
  const parsed = schema.safeParse(request.properties);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'Properties'}: ${message}`,
  );
  const where = `${request.stackName}/${request.logicalId} (${request.type})`;
  throw new EmbeddedAwsError('UnsupportedProperty', `${where}: ${problems.join('; ')}`);
}

/** The function name and qualifier in a name, a partial ARN or an ARN. */
export function parseFunctionReference(reference: string): { name: string; qualifier?: string } {
  const match = /^(?:arn:[^:]+:lambda:[^:]*:)?(?:\d+:)?(?:function:)?([\w-]+)(?::([\w$-]+))?$/.exec(
    reference,
  );
  const [, name = reference, qualifier] = match ?? [];
  return qualifier === undefined ? { name } : { name, qualifier };
}
