/** Remembers what nodes gave, by what went into them; keeps only nodes of the prompt that ran last. */
import { createHash } from 'node:crypto';
import type { Catalogue } from './node-catalogue.ts';
import { classOf, inputsOf, nodeOf, readLink } from './graph-link.ts';
import type { Folders } from './output-files.ts';
import type { JsonObject } from './python-json.ts';
import { dumps } from './python-json.ts';

export interface CachedNode {
  readonly outputs: readonly unknown[];
  readonly ui: JsonObject | null;
  readonly meta: JsonObject;
}

export class ExecutionCache {
  private entries = new Map<string, CachedNode>();

  get(signature: string): CachedNode | undefined {
    return this.entries.get(signature);
  }

  set(signature: string, node: CachedNode): void {
    this.entries.set(signature, node);
  }

  keepOnly(signatures: ReadonlySet<string>): void {
    for (const signature of this.entries.keys()) {
      if (!signatures.has(signature)) this.entries.delete(signature);
    }
  }

  clear(): void {
    this.entries.clear();
  }
}

const MAX_CHAIN = 3000;

/** For each node of the prompt, a digest of its class and of all that leads to it. */
export async function signPrompt(
  prompt: JsonObject,
  catalogue: Catalogue,
  folders: Folders,
): Promise<Map<string, string>> {
  const prints = await fingerprints(prompt, catalogue, folders);
  const done = new Map<string, string>();
  for (const id of Object.keys(prompt)) signNode(id, prompt, prints, done, 0);
  return done;
}

async function fingerprints(
  prompt: JsonObject,
  catalogue: Catalogue,
  folders: Folders,
): Promise<Map<string, string>> {
  const prints = new Map<string, string>();
  for (const id of Object.keys(prompt)) {
    const node = nodeOf(prompt, id);
    const inputs = new Map(Object.entries(inputsOf(node)));
    const print = await catalogue.get(classOf(node))?.node.fingerprint?.(inputs, folders);
    if (print !== undefined) prints.set(id, print);
  }
  return prints;
}

function signNode(
  id: string,
  prompt: JsonObject,
  prints: ReadonlyMap<string, string>,
  done: Map<string, string>,
  depth: number,
): string {
  const known = done.get(id);
  if (known !== undefined) return known;
  const node = nodeOf(prompt, id);
  if (!node || depth > MAX_CHAIN) return `none:${id}`;
  done.set(id, `cycle:${id}`);
  const hash = createHash('sha1').update(dumps([classOf(node), prints.get(id) ?? null]));
  const inputs = inputsOf(node);
  for (const name of Object.keys(inputs).sort()) {
    const link = readLink(inputs[name]);
    const value = link
      ? `${signNode(link.nodeId, prompt, prints, done, depth + 1)}@${link.slot}`
      : dumps(inputs[name]);
    hash.update(`|${JSON.stringify(name)}${link ? '<' : '='}${value}`);
  }
  const signature = hash.digest('hex');
  done.set(id, signature);
  return signature;
}
