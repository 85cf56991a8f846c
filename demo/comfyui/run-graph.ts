/** The prompt as it grows while it runs: its own nodes, and those that nodes expanded into. */
import type { CachedNode } from './execution-cache.ts';
import type { GraphView } from './execution-list.ts';
import type { Link } from './graph-link.ts';
import { classOf, inputsOf, nodeOf, readLink } from './graph-link.ts';
import type { Catalogue, CatalogueEntry } from './node-catalogue.ts';
import type { Inputs, Subgraph } from './node-class.ts';
import type { NodeIdentity } from './node-progress.ts';
import type { JsonObject } from './python-json.ts';
import { isJsonObject } from './python-json.ts';

interface Offspring {
  readonly node: JsonObject;
  readonly parentId: string;
}

export class RunGraph implements GraphView {
  private readonly prompt: JsonObject;
  private readonly catalogue: Catalogue;
  private readonly offspring = new Map<string, Offspring>();
  private readonly results = new Map<string, readonly unknown[]>();
  private readonly expansions = new Map<string, readonly Link[]>();
  readonly cached: ReadonlyMap<string, CachedNode>;

  constructor(prompt: JsonObject, catalogue: Catalogue, cached: ReadonlyMap<string, CachedNode>) {
    this.prompt = prompt;
    this.catalogue = catalogue;
    this.cached = cached;
  }

  private node(id: string): JsonObject | undefined {
    return this.offspring.get(id)?.node ?? nodeOf(this.prompt, id);
  }

  className(id: string): string {
    return classOf(this.node(id));
  }

  entry(id: string): CatalogueEntry | undefined {
    return this.catalogue.get(this.className(id));
  }

  identity(nodeId: string): NodeIdentity {
    const parentId = this.offspring.get(nodeId)?.parentId ?? null;
    let root = nodeId;
    for (let up = parentId; up !== null; up = this.offspring.get(up)?.parentId ?? null) root = up;
    return { nodeId, displayId: root, parentId, realId: root };
  }

  links(id: string): Link[] {
    const inputs = inputsOf(this.node(id));
    const lazy = new Set(
      this.entry(id)
        ?.inputs.filter((spec) => spec.lazy)
        .map((spec) => spec.name),
    );
    return Object.keys(inputs)
      .filter((name) => !lazy.has(name))
      .flatMap((name) => readLink(inputs[name]) ?? [])
      .filter((link) => this.node(link.nodeId) !== undefined);
  }

  isOutput(id: string): boolean {
    return this.entry(id)?.isOutput === true;
  }

  isConcurrent(id: string): boolean {
    return this.entry(id)?.node.concurrent === true;
  }

  isCached(id: string): boolean {
    return this.results.has(id) || this.cached.has(id);
  }

  outputsOf(id: string): readonly unknown[] | undefined {
    return this.results.get(id) ?? this.cached.get(id)?.outputs;
  }

  setOutputs(id: string, outputs: readonly unknown[]): void {
    this.results.set(id, outputs);
  }

  /** Values for a node; lazy links whose value is not there yet are left out. */
  inputs(id: string): Inputs {
    const values = new Map<string, unknown>();
    for (const [name, raw] of Object.entries(inputsOf(this.node(id)))) {
      const link = readLink(raw);
      if (!link) values.set(name, raw);
      else if (this.outputsOf(link.nodeId)) values.set(name, this.outputsOf(link.nodeId)?.[link.slot]);
    }
    return values;
  }

  /** Links behind the named inputs whose nodes have not run. */
  missing(id: string, names: readonly string[]): Link[] {
    const inputs = inputsOf(this.node(id));
    return names
      .flatMap((name) => (Object.hasOwn(inputs, name) ? (readLink(inputs[name]) ?? []) : []))
      .filter((link) => !this.isCached(link.nodeId));
  }

  /** Adds the nodes a node turned into; gives the links that stand for its outputs. */
  expand(parentId: string, subgraph: Subgraph): readonly Link[] {
    const prefix = `${parentId}.0.0.`;
    for (const [id, node] of Object.entries(subgraph.nodes)) {
      if (isJsonObject(node))
        this.offspring.set(prefix + id, { node: withPrefix(node, prefix, subgraph), parentId });
    }
    const links = subgraph.results.map(([id, slot]) => ({ nodeId: prefix + id, slot }));
    this.expansions.set(parentId, links);
    return links;
  }

  /** The outputs of a node that has expanded, taken from its offspring; undefined if it has not. */
  expandedOutputs(id: string): readonly unknown[] | undefined {
    return this.expansions.get(id)?.map((link) => this.outputsOf(link.nodeId)?.[link.slot]);
  }
}

/** Links to nodes of the subgraph get the prefix; links to the outside stay. */
function withPrefix(node: JsonObject, prefix: string, subgraph: Subgraph): JsonObject {
  const entries = Object.entries(inputsOf(node)).map(([name, value]) => {
    const link = readLink(value);
    const inner = link && Object.hasOwn(subgraph.nodes, link.nodeId);
    return [name, inner ? [prefix + link.nodeId, link.slot] : value] as const;
  });
  return { ...node, inputs: Object.fromEntries(entries) };
}
