/** Says what a run does: frames to the sockets that may see them, and the messages kept in the history. */
import type { NodeFailure } from './errors.ts';
import type { NodeIdentity } from './node-progress.ts';
import { NodeProgress } from './node-progress.ts';
import type { QueueItem } from './prompt-queue.ts';
import type { JsonObject } from './python-json.ts';
import type { Receiver, SocketHub } from './socket-hub.ts';

const PREVIEW_IMAGE = 1;
const PREVIEW_IMAGE_WITH_METADATA = 4;
const FORMAT_PNG = 2;

export class RunReporter {
  readonly messages: Array<[string, JsonObject]> = [];
  readonly executed: string[] = [];
  private readonly hub: SocketHub;
  private readonly now: () => number;
  private readonly promptId: string;
  private readonly progress: NodeProgress;
  readonly client: Receiver;

  constructor(item: QueueItem, hub: SocketHub, now: () => number) {
    this.hub = hub;
    this.now = now;
    this.promptId = item.promptId;
    this.progress = new NodeProgress(item.promptId);
    const client = item.extraData['client_id'];
    this.client = typeof client === 'string' ? client : null;
  }

  /** Kept in the history; without a client nobody sees it, unless it goes to all. */
  private message(type: string, data: JsonObject, toAll = false): void {
    const stamped = { ...data, timestamp: this.now() };
    this.messages.push([type, stamped]);
    if (this.client !== null || toAll) this.hub.send(type, stamped, this.client);
  }

  private toClient(type: string, data: JsonObject): void {
    if (this.client !== null) this.hub.send(type, data, this.client);
  }

  started(): void {
    this.message('execution_start', { prompt_id: this.promptId });
  }

  cached(nodes: readonly string[]): void {
    this.message('execution_cached', { nodes, prompt_id: this.promptId });
  }

  succeeded(): void {
    this.message('execution_success', { prompt_id: this.promptId });
  }

  ended(): void {
    this.toClient('executing', { node: null, prompt_id: this.promptId });
  }

  nodeStarted(node: NodeIdentity): void {
    this.progress.start(node);
    this.sendState();
    this.toClient('executing', { node: node.nodeId, display_node: node.displayId, prompt_id: this.promptId });
  }

  nodeExecuted(node: NodeIdentity, output: JsonObject | null): void {
    const data = { node: node.nodeId, display_node: node.displayId, output, prompt_id: this.promptId };
    this.toClient('executed', data);
  }

  nodeFinished(node: NodeIdentity): void {
    this.progress.finish(node);
    this.sendState();
  }

  private sendState(): void {
    if (this.hub.hasReceiver(this.client))
      this.hub.send('progress_state', this.progress.frame(), this.client);
  }

  /** With metadata the preview comes before `progress`, in the old form after it: so it was recorded. */
  step(node: NodeIdentity, value: number, max: number, preview: Buffer | null): void {
    this.progress.step(node.nodeId, value, max);
    this.sendState();
    const detailed = this.hub.takesPreviewMetadata(this.client);
    if (preview && detailed) this.sendDetailedPreview(node, preview);
    this.hub.send('progress', { value, max, prompt_id: this.promptId, node: node.nodeId }, this.client);
    if (preview && !detailed) this.sendImage(preview);
  }

  /** A picture in the old form, which names neither node nor prompt. */
  sendImage(png: Buffer): void {
    this.hub.sendBinary(Buffer.concat([word(PREVIEW_IMAGE), word(FORMAT_PNG), png]), this.client);
  }

  private sendDetailedPreview(node: NodeIdentity, png: Buffer): void {
    const about = JSON.stringify({
      node_id: node.nodeId,
      prompt_id: this.promptId,
      display_node_id: node.displayId,
      parent_node_id: node.parentId,
      real_node_id: node.realId,
      image_type: 'image/png',
    });
    const json = Buffer.from(about);
    const parts = [word(PREVIEW_IMAGE_WITH_METADATA), word(json.length), json, png];
    this.hub.sendBinary(Buffer.concat(parts), this.client);
  }

  failed(node: NodeIdentity, type: string, failure: NodeFailure, inputs: JsonObject, known: string[]): void {
    this.message('execution_error', {
      prompt_id: this.promptId,
      node_id: node.realId,
      node_type: type,
      executed: this.executed,
      exception_message: failure.message,
      exception_type: failure.exceptionType,
      traceback: [`  File "demo-pod/${type}", in run\n`],
      current_inputs: inputs,
      current_outputs: known,
    });
  }

  interrupted(node: NodeIdentity, type: string): void {
    const data = { prompt_id: this.promptId, node_id: node.realId, node_type: type, executed: this.executed };
    this.message('execution_interrupted', data, true);
  }

  /** Not the end of the run, not in the history, and without a timestamp. */
  blocked(node: NodeIdentity, type: string, reason: string): void {
    const data = {
      prompt_id: this.promptId,
      node_id: node.nodeId,
      node_type: type,
      executed: this.executed,
      exception_message: `Execution Blocked: ${reason}`,
      exception_type: 'ExecutionBlocked',
      traceback: [],
      current_inputs: [],
      current_outputs: [],
    };
    this.hub.send('execution_error', data, this.client);
  }
}

function word(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}
