/** GET and HEAD /view: the bytes of a file, with validators and ranges. */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { HttpError } from './errors.ts';
import type { PodRequest, Reply } from './http-exchange.ts';
import { emptyReply, textReply } from './http-exchange.ts';
import type { Folders } from './output-files.ts';
import { isFile, isInside } from './output-files.ts';

const CONTENT_TYPES: ReadonlyMap<string, string> = new Map([
  ['.png', 'image/png'],
  ['.webp', 'image/webp'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.gif', 'image/gif'],
  ['.mp4', 'video/mp4'],
  ['.webm', 'video/webm'],
  ['.flac', 'audio/x-flac'],
  ['.wav', 'audio/x-wav'],
  ['.txt', 'text/plain'],
]);

export async function viewFile(folders: Folders, request: PodRequest): Promise<Reply> {
  const file = await findFile(folders, request.query);
  if (!file) return textReply(404, '404: Not Found');
  const { bytes, headers } = await readFileWithHeaders(file);
  if (isUnchanged(request, headers)) return { status: 304, headers };
  const range = request.headers.range;
  return range === undefined ? { status: 200, headers, body: bytes } : partOf(bytes, headers, range);
}

async function findFile(folders: Folders, query: URLSearchParams): Promise<string | null> {
  const { name, type } = readName(query);
  if (name === '') return null;
  if (name.startsWith('/') || name.includes('..')) throw new HttpError(400);
  if (type !== 'output' && type !== 'temp' && type !== 'input') throw new HttpError(400);
  const root = folders[type];
  const directory = path.resolve(root, `./${(query.get('subfolder') ?? '').replaceAll('\0', '')}`);
  const absolute = path.isAbsolute(query.get('subfolder') ?? '');
  if (absolute || !isInside(root, directory)) throw new HttpError(403);
  const file = path.join(directory, path.posix.basename(name));
  return (await isFile(file)) ? file : null;
}

/** A name may end in its type: `x.png [temp]`. */
function readName(query: URLSearchParams): { name: string; type: string } {
  const given = query.get('filename') ?? '';
  const marked = /^(.*?) ?\[(output|input|temp)\]$/s.exec(given);
  if (marked) return { name: marked[1] ?? '', type: marked[2] ?? '' };
  return { name: given, type: query.get('type') ?? 'output' };
}

async function readFileWithHeaders(
  file: string,
): Promise<{ bytes: Buffer; headers: Record<string, string> }> {
  const handle = await open(file);
  try {
    const stats = await handle.stat({ bigint: true });
    const headers = {
      'Content-Disposition': `filename="${headerSafe(path.basename(file))}"`,
      'Content-Type': CONTENT_TYPES.get(path.extname(file).toLowerCase()) ?? 'application/octet-stream',
      Etag: `"${stats.mtimeNs.toString(16)}-${stats.size.toString(16)}"`,
      'Last-Modified': new Date(Number(stats.mtimeMs)).toUTCString(),
      'Accept-Ranges': 'bytes',
    };
    return { bytes: await handle.readFile(), headers };
  } finally {
    await handle.close();
  }
}

function headerSafe(name: string): string {
  return Buffer.from(name.replaceAll(/[\r\n]/g, ' '), 'utf8')
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e\xa0-\xff]/g, '?');
}

function isUnchanged(request: PodRequest, headers: Readonly<Record<string, string>>): boolean {
  const match = request.headers['if-none-match'];
  if (match !== undefined) return match.split(',').some((tag) => tag.trim() === headers['Etag']);
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  return !Number.isNaN(since) && Date.parse(headers['Last-Modified'] ?? '') <= since;
}

function partOf(bytes: Buffer, headers: Readonly<Record<string, string>>, range: string): Reply {
  const bounds = readRange(range, bytes.length);
  if (!bounds) return { ...emptyReply(416), headers: { 'Content-Range': `bytes */${bytes.length}` } };
  const [from, to] = bounds;
  const contentRange = `bytes ${from}-${to}/${bytes.length}`;
  return {
    status: 206,
    headers: { ...headers, 'Content-Range': contentRange },
    body: bytes.subarray(from, to + 1),
  };
}

/** First and last byte of a single range, or null when it can't be served. */
function readRange(range: string, size: number): readonly [number, number] | null {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(range.trim());
  if (!parts || (parts[1] === '' && parts[2] === '')) return null;
  if (parts[1] === '') {
    const from = Math.max(0, size - Number(parts[2]));
    return from < size ? [from, size - 1] : null;
  }
  const from = Number(parts[1]);
  const to = parts[2] === '' ? size - 1 : Math.min(size - 1, Number(parts[2]));
  return from < size && from <= to ? [from, to] : null;
}
