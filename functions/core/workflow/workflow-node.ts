export interface WorkflowNode {
  readonly classType: string;
  /** Values as lossless-json reads them; a link is a list of node id and slot. */
  readonly inputs: ReadonlyMap<string, unknown>;
  readonly title?: string;
}

/** Node id → node. A Map, because a node may be called `__proto__`. */
export type Workflow = ReadonlyMap<string, WorkflowNode>;
