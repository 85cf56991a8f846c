import { createHash } from 'node:crypto';
import * as z from 'zod';

export const messageAttributeSchema = z.object({
  DataType: z.string().regex(/^(String|Number|Binary)(\..+)?$/),
  StringValue: z.string().nullish(),
  /** Base64. */
  BinaryValue: z.string().nullish(),
});
export type MessageAttribute = z.infer<typeof messageAttributeSchema>;
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

export function md5Hex(data: string | Buffer): string {
  return createHash('md5').update(data).digest('hex');
}

/** The digest that SDKs compare: names in order; each name, type and value with its length before it. */
export function attributesMd5(attributes: MessageAttributes): string | undefined {
  const names = Object.keys(attributes).sort();
  if (names.length === 0) return undefined;
  const parts = names.flatMap((name) => {
    const attribute = attributes[name];
    return attribute
      ? [sized(Buffer.from(name)), sized(Buffer.from(attribute.DataType)), ...valueParts(attribute)]
      : [];
  });
  return md5Hex(Buffer.concat(parts));
}

function valueParts(attribute: MessageAttribute): Buffer[] {
  const binary = attribute.DataType.startsWith('Binary');
  const value = binary
    ? Buffer.from(attribute.BinaryValue ?? '', 'base64')
    : Buffer.from(attribute.StringValue ?? '');
  return [Buffer.from([binary ? 2 : 1]), sized(value)];
}

function sized(value: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return Buffer.concat([length, value]);
}
