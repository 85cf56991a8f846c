import type { ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';

export type PlainObject = Readonly<Record<string, unknown>>;

export function isPlainObject(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The one error of every provider: names the resource, its property and what is wrong with it. */
export function propertyError(request: ResourceRequest, property: string, problem: string): EmbeddedAwsError {
  const where = `${request.stackName}/${request.logicalId} (${request.type})`;
  return new EmbeddedAwsError('UnsupportedProperty', `${where}: property ${property} ${problem}`);
}

/**
 * Refuses properties that would change what the deployed API does but not what this one does.
 * `honoured` are read by the provider; `inert` have no meaning while requests are served (names, tags).
 */
export function refuseUnknown(
  request: ResourceRequest,
  honoured: readonly string[],
  inert: readonly string[],
): void {
  for (const [name, value] of Object.entries(request.properties)) {
    if (value === undefined || honoured.includes(name) || inert.includes(name)) continue;
    throw propertyError(request, name, 'is not supported by the embedded API Gateway; remove it');
  }
}

/** Reads one nested object of a property and refuses keys outside the two lists. */
export function nestedObject(
  request: ResourceRequest,
  path: string,
  value: unknown,
  honoured: readonly string[],
  inert: readonly string[] = [],
): PlainObject | undefined {
  if (value === undefined) return undefined;
  if (!isPlainObject(value)) throw propertyError(request, path, 'must be an object');
  for (const key of Object.keys(value)) {
    if (honoured.includes(key) || inert.includes(key)) continue;
    throw propertyError(request, `${path}.${key}`, 'is not supported by the embedded API Gateway; remove it');
  }
  return value;
}

export function requiredString(request: ResourceRequest, name: string): string {
  const value = optionalString(request, name);
  if (value === undefined || value === '') throw propertyError(request, name, 'is required');
  return value;
}

export function optionalString(
  request: ResourceRequest,
  name: string,
  value: unknown = request.properties[name],
): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw propertyError(request, name, 'must be a string');
}

/** Templates carry numbers as text as well: `"30"` is 30. */
export function optionalNumber(
  request: ResourceRequest,
  name: string,
  value: unknown = request.properties[name],
): number | undefined {
  if (value === undefined) return undefined;
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof parsed === 'number' && Number.isFinite(parsed)) return parsed;
  throw propertyError(request, name, 'must be a number');
}

/** Templates carry booleans as text as well: `"true"` is true. */
export function optionalBoolean(
  request: ResourceRequest,
  name: string,
  value: unknown = request.properties[name],
): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw propertyError(request, name, 'must be true or false');
}

export function stringList(
  request: ResourceRequest,
  name: string,
  value: unknown = request.properties[name],
): readonly string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value;
  throw propertyError(request, name, 'must be a list of strings');
}

export function stringMap(
  request: ResourceRequest,
  name: string,
  value: unknown = request.properties[name],
): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (isPlainObject(value) && Object.values(value).every((item) => typeof item === 'string')) {
    return value as Readonly<Record<string, string>>;
  }
  throw propertyError(request, name, 'must be an object of strings');
}
