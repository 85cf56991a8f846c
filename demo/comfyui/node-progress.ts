/** The state of every node that has started, as `progress_state` repeats it in full each time. */
import type { JsonObject } from './python-json.ts';
import { pyFloat } from './python-json.ts';

export interface NodeIdentity {
  readonly nodeId: string;
  /** The node a person sees: the one that expanded into this one, or itself. */
  readonly displayId: string;
  readonly parentId: string | null;
  readonly realId: string;
}

interface NodeState {
  value: unknown;
  max: unknown;
  state: 'running' | 'finished';
  readonly identity: NodeIdentity;
}

export class NodeProgress {
  private readonly states = new Map<string, NodeState>();
  private readonly promptId: string;

  constructor(promptId: string) {
    this.promptId = promptId;
  }

  start(identity: NodeIdentity): void {
    this.states.set(identity.nodeId, { value: pyFloat(0), max: pyFloat(1), state: 'running', identity });
  }

  step(nodeId: string, value: number, max: number): void {
    const state = this.states.get(nodeId);
    if (!state) return;
    state.value = value;
    state.max = max;
  }

  /** A node that never started (its output came from the cache) shows as 1 of 1. */
  finish(identity: NodeIdentity): void {
    const state = this.states.get(identity.nodeId);
    if (!state) this.states.set(identity.nodeId, { value: 1, max: 1, state: 'finished', identity });
    else {
      state.value = state.max;
      state.state = 'finished';
    }
  }

  frame(): JsonObject {
    const nodes = new Map([...this.states].map(([id, state]) => [id, this.describe(state)]));
    return { prompt_id: this.promptId, nodes };
  }

  private describe({ value, max, state, identity }: NodeState): JsonObject {
    return {
      value,
      max,
      state,
      node_id: identity.nodeId,
      prompt_id: this.promptId,
      display_node_id: identity.displayId,
      parent_node_id: identity.parentId,
      real_node_id: identity.realId,
    };
  }
}
