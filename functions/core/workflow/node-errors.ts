/** What is wrong with a workflow, node by node, in ComfyUI's own words for the kinds of error. */
import { oneLine, quoted } from './one-line.ts';

/** Kinds of error as ComfyUI names them in `node_errors` of POST /prompt. */
export type NodeErrorType =
  | 'bad_linked_input'
  | 'custom_validation_failed'
  | 'dependency_cycle'
  | 'invalid_input_type'
  | 'missing_node_type'
  | 'required_input_missing'
  | 'return_type_mismatch'
  | 'value_bigger_than_max'
  | 'value_not_in_list'
  | 'value_smaller_than_min';

export interface NodeError {
  readonly type: string;
  /** One line, at most 300 characters. */
  readonly message: string;
  readonly input?: string;
}

/** Node id → its errors; at most 50 in all. Read with `Object.hasOwn`: a node may be called `constructor`. */
export type NodeErrors = Readonly<
  Record<string, { classType: string; errors: readonly { type: string; message: string; input?: string }[] }>
>;

const MAX_ERRORS = 50;
const MAX_INPUT_NAME = 256;

/** Collects errors; those beyond the fiftieth are only counted. */
export class NodeErrorList {
  private readonly nodes = new Map<string, { readonly classType: string; readonly errors: NodeError[] }>();
  private first: string | undefined;
  /** All that were added, those left out as well. */
  count = 0;

  /** @param describe called only for errors that are listed: a good description can be dear */
  add(nodeId: string, classType: string, type: NodeErrorType, describe: () => string, input?: string): void {
    this.count += 1;
    if (this.count > MAX_ERRORS) return;
    const message = describe();
    this.first ??= `node ${quoted(nodeId)} (${quoted(classType)}): ${message}`;
    const node = this.nodes.get(nodeId) ?? { classType: classType.slice(0, 256), errors: [] };
    const place = input === undefined ? {} : { input: input.slice(0, MAX_INPUT_NAME) };
    node.errors.push({ type, message: oneLine(message), ...place });
    this.nodes.set(nodeId, node);
  }

  /** The first error, and how many there are beside it. */
  message(): string {
    const more = this.count > 1 ? ` (and ${this.count - 1} more)` : '';
    const first = oneLine(this.first ?? '');
    return first.length + more.length > 300
      ? `${first.slice(0, 299 - more.length)}…${more}`
      : `${first}${more}`;
  }

  toNodeErrors(): NodeErrors {
    return Object.fromEntries(this.nodes);
  }
}
