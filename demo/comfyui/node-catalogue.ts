/** Which node classes the pod knows: how they are described to others, and how they run. */
import { readFileSync } from 'node:fs';
import type { NodeClass } from './node-class.ts';
import { demoNodeInfos, demoNodes } from './nodes/demo-nodes.ts';
import { imageNodes } from './nodes/image-nodes.ts';
import { outputNodes } from './nodes/output-nodes.ts';
import { samplingNodes } from './nodes/sampling-nodes.ts';
import type { JsonObject } from './python-json.ts';
import { isJsonObject, parseJson } from './python-json.ts';

export interface InputSpec {
  readonly name: string;
  readonly required: boolean;
  readonly lazy: boolean;
  readonly type: string;
  /** The allowed values of a choice, or null. */
  readonly options: readonly unknown[] | null;
  readonly config: JsonObject;
  /** Type and settings, for `input_config` in error replies. */
  readonly raw: unknown;
}

export interface CatalogueEntry {
  readonly className: string;
  readonly info: JsonObject;
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
  readonly isOutput: boolean;
  readonly node: NodeClass;
}

export type Catalogue = ReadonlyMap<string, CatalogueEntry>;

let loaded: Catalogue | undefined;

/** Reads `object-info.json` once and joins it with the running nodes. Throws when a class lacks one of them. */
export function loadCatalogue(): Catalogue {
  loaded ??= buildCatalogue();
  return loaded;
}

function buildCatalogue(): Catalogue {
  const text = readFileSync(new URL('./object-info.json', import.meta.url), 'utf8');
  const infos = new Map([...Object.entries(parseJson(text) as JsonObject), ...demoNodeInfos]);
  const nodes = new Map([...samplingNodes, ...imageNodes, ...outputNodes, ...demoNodes]);
  const entries = [...nodes].map(([name, node]) => [name, toEntry(name, infos.get(name), node)] as const);
  return new Map(entries);
}

function toEntry(className: string, info: unknown, node: NodeClass): CatalogueEntry {
  if (!isJsonObject(info)) throw new TypeError(`no object_info for ${className}`);
  const input = isJsonObject(info['input']) ? info['input'] : {};
  return {
    className,
    info,
    inputs: [...readSpecs(input['required'], true), ...readSpecs(input['optional'], false)],
    outputs: Array.isArray(info['output']) ? info['output'].map(String) : [],
    isOutput: info['output_node'] === true,
    node,
  };
}

function readSpecs(group: unknown, required: boolean): InputSpec[] {
  if (!isJsonObject(group)) return [];
  return Object.entries(group).map(([name, raw]) => readSpec(name, raw, required));
}

function readSpec(name: string, raw: unknown, required: boolean): InputSpec {
  const [type, settings] = Array.isArray(raw) ? (raw as unknown[]) : [];
  const config = isJsonObject(settings) ? settings : {};
  const listed = Array.isArray(type) ? (type as unknown[]) : config['options'];
  return {
    name,
    required,
    lazy: config['lazy'] === true,
    type: typeof type === 'string' ? type : 'COMBO',
    options: Array.isArray(listed) ? listed : null,
    config,
    raw: [type, config],
  };
}
