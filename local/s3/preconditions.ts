import type { Headers } from './body-stream.ts';
import type { StoredObject } from './object-store.ts';
import { S3Error, noSuchKey, preconditionFailed } from './s3-error.ts';

/** `If-None-Match: *` (only create) and `If-Match` (only replace what I know) of a write. */
export function writeCheck(headers: Headers): (existing: StoredObject | undefined) => void {
  const noneMatch = headers['if-none-match'];
  const match = headers['if-match'];
  if (noneMatch !== undefined && noneMatch !== '*') {
    throw new S3Error(501, 'NotImplemented', 'If-None-Match of a write takes only *');
  }
  return (existing) => {
    if (noneMatch === '*' && existing) throw preconditionFailed();
    if (match === undefined) return;
    if (!existing) throw noSuchKey();
    if (!listsEtag(match, existing.etag)) throw preconditionFailed();
  };
}

/** True when the reader has it already (304). Throws PreconditionFailed when it wants another one. */
export function isUnchanged(headers: Headers, object: StoredObject): boolean {
  const modified = Math.floor(Date.parse(object.lastModified) / 1000) * 1000;
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match !== undefined && !listsEtag(match, object.etag)) throw preconditionFailed();
  const unmodifiedSince = Date.parse(headers['if-unmodified-since'] ?? '');
  if (match === undefined && modified > unmodifiedSince) throw preconditionFailed();
  if (noneMatch !== undefined) return listsEtag(noneMatch, object.etag);
  return modified <= Date.parse(headers['if-modified-since'] ?? '');
}

function listsEtag(list: string, etag: string): boolean {
  const given = list.split(',').map((one) => one.trim().replace(/^W\//, '').replaceAll('"', ''));
  return given.includes('*') || given.includes(etag);
}

/** One range as `Range` asks for it. Undefined for none or several (the whole object is then right); throws 416. */
export function readRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  const start = from === '' ? Math.max(size - Number(to), 0) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== '' && to !== '' && Number(from) > Number(to)) return undefined;
  if (start >= size || (from === '' && Number(to) === 0)) {
    throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable');
  }
  return { start, end };
}
