/** What the pod says about itself. */
import { freemem, totalmem } from 'node:os';
import { readdir } from 'node:fs/promises';
import type { CatalogueEntry } from './node-catalogue.ts';
import type { Pod } from './pod.ts';
import type { JsonObject } from './python-json.ts';

export function systemStats(version: string, host: string, port: number): JsonObject {
  const memory = { total: totalmem(), free: freemem() };
  return {
    system: {
      os: 'posix',
      ram_total: memory.total,
      ram_free: memory.free,
      comfyui_version: version,
      required_frontend_version: '1.27.10',
      installed_templates_version: null,
      required_templates_version: '0.1.95',
      python_version: '3.13.5 (demo pod)',
      pytorch_version: '2.6.0',
      embedded_python: false,
      argv: ['main.py', '--cpu', '--listen', host, '--port', String(port)],
    },
    devices: [
      {
        name: 'cpu',
        type: 'cpu',
        index: null,
        vram_total: memory.total,
        vram_free: memory.free,
        torch_vram_total: memory.total,
        torch_vram_free: memory.free,
      },
    ],
  };
}

export async function objectInfo(pod: Pod, className?: string): Promise<Map<string, unknown>> {
  const files = await readdir(pod.options.folders.input).catch(() => []);
  const sorted = [...files].sort((a, b) => (a < b ? -1 : 1));
  const wanted = className === undefined ? [...pod.catalogue.values()] : [pod.catalogue.get(className)];
  const known = wanted.filter((entry) => entry !== undefined);
  return new Map(known.map((entry) => [entry.className, withFiles(entry, sorted)]));
}

/** LoadImage offers the files that were uploaded. */
function withFiles(entry: CatalogueEntry, files: string[]): JsonObject {
  if (entry.className !== 'LoadImage') return entry.info;
  return { ...entry.info, input: { required: { image: [files, { image_upload: true }] } } };
}
