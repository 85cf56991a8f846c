/** Name-based UUIDs (RFC 9562, 5.5): the same name gives the same id, on every delivery and every machine. */
import { createHash } from 'node:crypto';

/** The namespace of this project's names, a random UUID chosen once: changing it changes every derived id. */
export const PIPELINE_NAMESPACE = 'b6f1c7de-5f0e-4a55-9a0e-2f7a4f3d9c11';

/** Lower case. `name` is taken as UTF-8; `namespace` must be a UUID. */
export const uuidV5 = (name: string, namespace: string = PIPELINE_NAMESPACE): string => {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name, 'utf8')
    .digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
