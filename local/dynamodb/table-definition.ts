import * as z from 'zod';
import type { ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { generatedName } from '../template/inert-resources.ts';

const keySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }));
const projection = z.object({
  ProjectionType: z.enum(['ALL', 'INCLUDE', 'KEYS_ONLY']).optional(),
  NonKeyAttributes: z.array(z.string()).optional(),
});
const index = z.object({ IndexName: z.string(), KeySchema: keySchema, Projection: projection });

const tableSchema = z.object({
  TableName: z.string().optional(),
  AttributeDefinitions: z.array(
    z.object({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) }),
  ),
  KeySchema: keySchema,
  GlobalSecondaryIndexes: z.array(index).optional(),
  LocalSecondaryIndexes: z.array(index).optional(),
  TimeToLiveSpecification: z
    .object({ AttributeName: z.string().optional(), Enabled: z.union([z.boolean(), z.stringbool()]) })
    .optional(),
  StreamSpecification: z.never('streams are not emulated; remove them or send events instead').optional(),
  KinesisStreamSpecification: z.never('streams are not emulated; remove them').optional(),
  ImportSourceSpecification: z.never('imports are not emulated').optional(),
});

/** What `CreateTable` takes, capacity left out: it has no meaning here. */
export interface TableDefinition {
  readonly TableName: string;
  readonly AttributeDefinitions: z.output<typeof tableSchema>['AttributeDefinitions'];
  readonly KeySchema: z.output<typeof keySchema>;
  readonly BillingMode: 'PAY_PER_REQUEST';
  readonly GlobalSecondaryIndexes?: readonly z.output<typeof index>[];
  readonly LocalSecondaryIndexes?: readonly z.output<typeof index>[];
}

export interface ParsedTable {
  readonly definition: TableDefinition;
  /** Attribute with the second of the epoch after which an item may go. */
  readonly timeToLiveAttribute?: string;
}

/**
 * Reads `AWS::DynamoDB::Table` and `AWS::DynamoDB::GlobalTable`, the replicas of the latter left aside: one machine is
 * one region. Backups, encryption, tags, capacity and protection are accepted and mean nothing here.
 */
export function parseTable(request: ResourceRequest): ParsedTable {
  const parsed = tableSchema.safeParse(request.properties);
  if (!parsed.success) throw invalidTable(request, parsed.error);
  const {
    GlobalSecondaryIndexes: global,
    LocalSecondaryIndexes: local,
    TimeToLiveSpecification: ttl,
  } = parsed.data;
  const definition: TableDefinition = {
    TableName: parsed.data.TableName ?? generatedName(request, 255),
    AttributeDefinitions: parsed.data.AttributeDefinitions,
    KeySchema: parsed.data.KeySchema,
    BillingMode: 'PAY_PER_REQUEST',
    ...(global?.length ? { GlobalSecondaryIndexes: global } : {}),
    ...(local?.length ? { LocalSecondaryIndexes: local } : {}),
  };
  const attribute = ttl?.Enabled === true ? ttl.AttributeName : undefined;
  return attribute === undefined ? { definition } : { definition, timeToLiveAttribute: attribute };
}

function invalidTable(request: ResourceRequest, error: z.ZodError): EmbeddedAwsError {
  const problems = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const where = `${request.stackName}/${request.logicalId} (${request.type})`;
  return new EmbeddedAwsError('UnsupportedProperty', `${where}: ${problems.join('; ')}`);
}

const describedSchema = z.object({
  Table: tableSchema.pick({
    KeySchema: true,
    AttributeDefinitions: true,
    GlobalSecondaryIndexes: true,
    LocalSecondaryIndexes: true,
  }),
});

/** True when the table that `DescribeTable` shows has the keys and indexes of the definition. */
export function sameShape(description: unknown, definition: TableDefinition): boolean {
  return shapeOf(describedSchema.parse(description).Table) === shapeOf(definition);
}

function shapeOf(
  table: Omit<TableDefinition, 'TableName' | 'BillingMode'> | z.output<typeof describedSchema>['Table'],
): string {
  const byName = <Named extends { readonly IndexName: string }>(
    indexes: readonly Named[] = [],
  ): readonly Named[] => [...indexes].sort((left, right) => left.IndexName.localeCompare(right.IndexName));
  const types = table.AttributeDefinitions.map(
    ({ AttributeName, AttributeType }) => `${AttributeName}:${AttributeType}`,
  );
  const keys = (schema: TableDefinition['KeySchema']): string =>
    schema.map(({ AttributeName, KeyType }) => `${AttributeName}:${KeyType}`).join();
  const indexes = [...byName(table.GlobalSecondaryIndexes), ...byName(table.LocalSecondaryIndexes)];
  return JSON.stringify([
    types.sort(),
    keys(table.KeySchema),
    indexes.map(({ IndexName, KeySchema, Projection }) => [
      IndexName,
      keys(KeySchema),
      Projection.ProjectionType,
      Projection.NonKeyAttributes?.toSorted(),
    ]),
  ]);
}
