/** Which node may run next: only what outputs need, prerequisites first. */
import type { Link } from './graph-link.ts';

export interface GraphView {
  /** Links whose values must be there before the node can run; lazy inputs are left out. */
  links(nodeId: string): readonly Link[];
  isOutput(nodeId: string): boolean;
  isConcurrent(nodeId: string): boolean;
  isCached(nodeId: string): boolean;
}

export class ExecutionList {
  private readonly view: GraphView;
  private readonly blockers = new Map<string, Set<string>>();
  private readonly blocking = new Map<string, Set<string>>();
  private readonly ready = new Set<string>();
  private readonly order = new Map<string, number>();
  private readonly busy = new Set<string>();

  constructor(view: GraphView) {
    this.view = view;
  }

  get size(): number {
    return this.blockers.size;
  }

  has(id: string): boolean {
    return this.blockers.has(id);
  }

  /** Adds the node and, as far as they are not cached, all nodes it needs: the last named input first. */
  add(root: string): void {
    const stack = [root];
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (this.blockers.has(id)) continue;
      this.enlist(id);
      for (const link of this.view.links(id)) {
        if (this.view.isCached(link.nodeId)) continue;
        this.connect(link.nodeId, id);
        stack.push(link.nodeId);
      }
    }
  }

  /** Makes `node` wait for another one, which is added if it is not there. */
  require(node: string, needed: string): void {
    this.add(needed);
    this.connect(needed, node);
  }

  private enlist(id: string): void {
    this.blockers.set(id, new Set());
    this.order.set(id, this.order.size);
    this.ready.add(id);
  }

  private connect(from: string, to: string): void {
    this.blockers.get(to)?.add(from);
    this.ready.delete(to);
    const list = this.blocking.get(from) ?? new Set();
    list.add(to);
    this.blocking.set(from, list);
  }

  /** The next node to start: outputs and concurrent ones first, then what feeds an output, then the oldest. */
  pick(): string | undefined {
    let best: { id: string; rank: number; age: number } | undefined;
    for (const id of this.ready) {
      if (this.busy.has(id)) continue;
      const rank = this.rankOf(id);
      const age = this.order.get(id) ?? 0;
      if (!best || rank < best.rank || (rank === best.rank && age < best.age)) best = { id, rank, age };
    }
    return best?.id;
  }

  private rankOf(id: string): number {
    if (this.view.isOutput(id) || this.view.isConcurrent(id)) return 0;
    return this.feedsOutput(id) ? 1 : 2;
  }

  private feedsOutput(id: string): boolean {
    return [...(this.blocking.get(id) ?? [])].some((other) => this.view.isOutput(other));
  }

  /** The node has started and is not to be picked again until `release`. */
  hold(id: string): void {
    this.busy.add(id);
  }

  release(id: string): void {
    this.busy.delete(id);
  }

  complete(id: string): void {
    this.blockers.delete(id);
    this.ready.delete(id);
    this.busy.delete(id);
    for (const other of this.blocking.get(id) ?? []) {
      const left = this.blockers.get(other);
      left?.delete(id);
      if (left?.size === 0) this.ready.add(other);
    }
    this.blocking.delete(id);
  }
}
