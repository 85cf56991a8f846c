/** The bodies of the task API as JSON Schemas under `#/components/schemas`, named as they are in `shared-types`. */
import * as z from 'zod';
import * as routes from '../../../shared-types/api-routes.ts';
import * as bodies from '../../../shared-types/task-api.ts';

export type Json = Readonly<Record<string, unknown>>;

const PREFIX = '#/components/schemas/';

const named: ReadonlyMap<z.ZodType, string> = new Map(
  Object.entries({ ...bodies, ...routes }).flatMap(([name, value]): [z.ZodType, string][] =>
    value instanceof z.ZodType && name.endsWith('Schema')
      ? [[value, `${name.charAt(0).toUpperCase()}${name.slice(1).replace(/(Fields)?Schema$/, '')}`]]
      : [],
  ),
);

/**
 * The component's name of a body.
 * @throws Error for a schema that is exported from neither file, which a test would meet first
 */
export const componentOf = (schema: z.ZodType): string => {
  const name = named.get(schema);
  if (name === undefined) throw new Error('a body of the task API must be an exported schema');
  return name;
};

export const referenceTo = (schema: z.ZodType): Json => ({ $ref: `${PREFIX}${componentOf(schema)}` });

/** What zod writes beside the schema itself: its dialect and id, which the document has, and that more is allowed. */
const withoutNoise = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutNoise);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key, inner]) =>
      !['$schema', '$id', '~standard'].includes(key) &&
      !(key === 'additionalProperties' && JSON.stringify(inner) === '{}'),
  );
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNoise(inner)]));
};

/** `input` is what a caller sends, with what has a default left out; `output` is what we answer. */
export type Direction = 'input' | 'output';

/** One schema by itself, for a parameter. */
export const schemaOf = (schema: z.ZodType, io: Direction): Json =>
  withoutNoise(z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' })) as Json;

const allSchemas = (io: Direction): Readonly<Record<string, unknown>> => {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of named) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
    uri: (id) => `${PREFIX}${id}`,
  });
  return withoutNoise(schemas) as Json;
};

/** Names of the components that a value refers to. */
export const referencesIn = (value: unknown): readonly string[] =>
  [...JSON.stringify(value).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name = '']) => name,
  );

const reachable = (from: readonly string[], schemas: Json): ReadonlySet<string> => {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    referencesIn(schemas[name]).forEach(visit);
  };
  from.forEach(visit);
  return found;
};

/**
 * The named schemas and all that they refer to. A body that is both sent and answered stands as it is answered.
 * @param roots component names by direction
 */
export const componentSchemas = (roots: Readonly<Record<Direction, readonly string[]>>): Json => {
  const parts = (['input', 'output'] as const).flatMap((io) => {
    const schemas = allSchemas(io);
    const names = reachable(roots[io], schemas);
    return Object.entries(schemas).filter(([name]) => names.has(name));
  });
  return Object.fromEntries(parts.sort(([a], [b]) => a.localeCompare(b)));
};
