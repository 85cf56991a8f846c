/** POST /upload/image: multipart, with the names the real thing would give. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HttpError } from './errors.ts';
import type { PodRequest, Reply } from './http-exchange.ts';
import { emptyReply, jsonReply } from './http-exchange.ts';
import type { Folders, FolderType } from './output-files.ts';
import { isFile, isInside } from './output-files.ts';

interface Upload {
  readonly name: string;
  readonly bytes: Buffer;
  readonly type: FolderType;
  readonly subfolder: string;
  readonly overwrite: boolean;
}

export async function uploadImage(folders: Folders, request: PodRequest): Promise<Reply> {
  const upload = await readUpload(request);
  if (!upload) return emptyReply(400);
  const root = folders[upload.type];
  const directory = path.resolve(root, `./${upload.subfolder}`);
  const target = path.resolve(directory, upload.name);
  if (path.isAbsolute(upload.subfolder) || !isInside(root, directory) || !isInside(directory, target)) {
    return emptyReply(400);
  }
  await mkdir(directory, { recursive: true });
  const name = await store(directory, upload);
  return jsonReply({ name, subfolder: upload.subfolder, type: upload.type });
}

/** The same bytes keep their name; other bytes under a taken name become `name (1).png`. */
async function store(directory: string, upload: Upload): Promise<string> {
  const { name: stem, ext } = path.parse(upload.name);
  for (let copy = 0; ; copy++) {
    const name = copy === 0 ? upload.name : `${stem} (${copy})${ext}`;
    const file = path.join(directory, name);
    const taken = await isFile(file);
    if (taken && !upload.overwrite && (await readFile(file)).equals(upload.bytes)) return name;
    if (taken && !upload.overwrite) continue;
    await writeFile(file, upload.bytes);
    return name;
  }
}

async function readUpload(request: PodRequest): Promise<Upload | null> {
  const form = await readForm(request);
  const image = form.get('image');
  if (!image || typeof image === 'string') return null;
  const type = fieldText(form, 'type', 'input');
  if (type !== 'input' && type !== 'output' && type !== 'temp') throw new HttpError(500);
  if (image.name === '' || image.name.includes('\0')) return null;
  return {
    name: image.name,
    bytes: Buffer.from(await image.arrayBuffer()),
    type,
    subfolder: fieldText(form, 'subfolder', '').replaceAll('\0', ''),
    overwrite: ['true', '1'].includes(fieldText(form, 'overwrite', '')),
  };
}

function fieldText(form: FormData, name: string, fallback: string): string {
  const value = form.get(name);
  return typeof value === 'string' && value !== '' ? value : fallback;
}

async function readForm(request: PodRequest): Promise<FormData> {
  const headers = { 'content-type': request.headers['content-type'] ?? '' };
  const bytes = await request.body();
  try {
    return await new Response(new Uint8Array(bytes), { headers }).formData();
  } catch {
    throw new HttpError(500);
  }
}
