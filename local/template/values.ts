import { EmbeddedAwsError } from '../contract.ts';

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value if it is text; otherwise an `EmbeddedAwsError` that says where text was wanted. */
export function text(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  throw new EmbeddedAwsError(
    'InvalidTemplate',
    `${where} needs text but has ${JSON.stringify(value) ?? 'nothing'}`,
  );
}
