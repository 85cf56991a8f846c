import { describe, expect, test } from '@jest/globals';
import type * as z from 'zod';
import { apiRoutes, type ApiRoute } from '../../../shared-types/api-routes.ts';
import { errorBodySchema } from '../../../shared-types/task-api.ts';
import { openApiDocument, type Operation } from './openapi.ts';

const document = openApiDocument();
const routes: readonly [string, ApiRoute][] = Object.entries(apiRoutes);
const operationOf = ({ path, method }: ApiRoute): Operation => document.paths[path]![method.toLowerCase()]!;

type Json = Readonly<Record<string, unknown>>;
const objectOf = (value: unknown): Json => value as Json;
/** What a `$ref` points to; undefined when it points nowhere. */
const resolve = (reference: string): unknown =>
  reference
    .slice(2)
    .split('/')
    .reduce<unknown>((value, key) => objectOf(value)?.[key], document);

const everyObject = (value: unknown): readonly Json[] => {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.values(value).flatMap(everyObject);
  return Array.isArray(value) ? inner : [value as Json, ...inner];
};

describe('the document', () => {
  test('is OpenAPI 3.1 with what that demands', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
    expect(document.servers).toEqual([expect.objectContaining({ url: '/api/v1' })]);
  });

  test('has every route once, and no other', () => {
    const found = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect([...found].sort((a, b) => a.localeCompare(b))).toEqual(
      routes.map(([, { method, path }]) => `${method} ${path}`).sort((a, b) => a.localeCompare(b)),
    );
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(routes.length);
  });

  test('has no reference that leads nowhere, and no component that nothing leads to', () => {
    const references = everyObject(document).flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []));
    expect(references.filter((reference) => !reference.startsWith('#/components/'))).toEqual([]);
    expect(references.filter((reference) => resolve(reference) === undefined)).toEqual([]);
    const components = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect(components.filter((name) => !references.includes(name))).toEqual([]);
    expect(components.length).toBeGreaterThan(20);
  });

  test('is the same text each time, plain JSON, and free of schema dialects', () => {
    const text = JSON.stringify(document);
    expect(JSON.stringify(openApiDocument())).toBe(text);
    expect(JSON.parse(text)).toEqual(document);
    expect(text).not.toMatch(/"\$schema"|"\$id"|"~standard"/);
  });
});

describe.each(routes)('%s', (operationId, route) => {
  const operation = operationOf(route);

  test('names itself, its scope and all of its parameters', () => {
    expect(operation.operationId).toBe(operationId);
    expect(operation.summary).not.toBe('');
    expect(operation.security).toEqual(route.scope === 'none' ? [] : [{ bearer: [route.scope] }]);
    const named = (place: string) =>
      (operation.parameters ?? []).filter((each) => each['in'] === place).map(({ name }) => name);
    expect(named('path')).toEqual([...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    expect(named('query')).toEqual(Object.keys(route.query?.shape ?? {}));
    expect(named('header')).toEqual(Object.keys(route.headers ?? {}));
  });

  test('answers what the table says, and the errors that every route may answer', () => {
    const always = route.scope === 'none' ? [500] : [401, 403, 500];
    const expected = [...Object.keys(route.responses), ...[...route.errors, ...always].map(String)];
    expect(Object.keys(operation.responses)).toEqual(
      [...new Set(expected)].sort((a, b) => a.localeCompare(b)),
    );
  });

  const examplesIn = (part: unknown): readonly unknown[] =>
    Object.values(objectOf(objectOf(part)?.['content'] ?? {})).map((media) => objectOf(media)['example']);

  test('shows an example of each body, and the body reads it', () => {
    const check = (schema: z.ZodType, part: unknown): void => {
      const [example, ...others] = examplesIn(part);
      expect(others).toEqual([]);
      expect(example).toBeDefined();
      expect(schema.safeParse(example).error).toBeUndefined();
    };
    if (route.request) check(route.request, operation.requestBody);
    for (const [status, schema] of Object.entries(route.responses)) {
      if (schema) check(schema, operation.responses[status]);
    }
  });
});

test('the example of an error is one', () => {
  for (const { content } of Object.values(document.components.responses).map(objectOf)) {
    const { example } = objectOf(objectOf(content)['application/json']);
    expect(errorBodySchema.safeParse(example).error).toBeUndefined();
  }
});
