/**
 * What a history entry says: how the prompt ended and what it produced. Both the monitor and the control plane
 * decide by it, so the rule stands here once.
 */
import { executionErrorDataSchema, type ExecutionErrorData } from './comfyui-frames.ts';
import type { HistoryEntry } from './comfyui-rest.ts';
import type { OutputFile } from './event-base.ts';

export type HistoryOutcome =
  | { readonly kind: 'succeeded'; /** False when only outputs speak for it. */ readonly verified: boolean }
  | { readonly kind: 'failed'; readonly error: ExecutionErrorData | undefined }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'unfinished' };

const TERMINAL = new Set(['execution_success', 'execution_error', 'execution_interrupted']);

const messagesOf = (entry: HistoryEntry): readonly (readonly [string, unknown])[] =>
  (entry.status?.messages ?? []).flatMap((message) =>
    Array.isArray(message) && typeof message[0] === 'string' ? [[message[0], message[1]] as const] : [],
  );

const hasOutputs = (entry: HistoryEntry): boolean => Object.keys(entry.outputs).length > 0;

/** Without any terminal message: status_str, then the outputs, decide. */
const outcomeWithoutMessages = (entry: HistoryEntry): HistoryOutcome => {
  const text = entry.status?.status_str;
  if (text === 'success') return { kind: 'succeeded', verified: true };
  if (text === 'error') return { kind: 'failed', error: undefined };
  return hasOutputs(entry) ? { kind: 'succeeded', verified: false } : { kind: 'failed', error: undefined };
};

/**
 * Outcome = the LAST of execution_success, execution_error, execution_interrupted in `status.messages`; only then
 * `status_str`. `undefined` (no entry) reads as unfinished: ComfyUI answers `{}` for unknown and running alike.
 */
export const outcomeOfHistory = (entry: HistoryEntry | undefined): HistoryOutcome => {
  if (entry === undefined) return { kind: 'unfinished' };
  const last = messagesOf(entry).findLast(([type]) => TERMINAL.has(type));
  if (last === undefined) return outcomeWithoutMessages(entry);
  if (last[0] === 'execution_success') return { kind: 'succeeded', verified: true };
  if (last[0] === 'execution_interrupted') return { kind: 'interrupted' };
  const error = executionErrorDataSchema.safeParse(last[1]);
  return { kind: 'failed', error: error.success ? error.data : undefined };
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const timestampOf = (data: unknown): number | undefined => {
  const timestamp = isRecord(data) ? data['timestamp'] : undefined;
  // What no date can hold is no time.
  return typeof timestamp === 'number' && Math.abs(timestamp) <= 8.64e15 ? timestamp : undefined;
};

/** When the prompt ran, by the clock of its pod: milliseconds since the epoch; undefined where it does not say. */
export const timesOfHistory = (
  entry: HistoryEntry,
): { readonly from: number; readonly to: number } | undefined => {
  const messages = messagesOf(entry);
  const from = timestampOf(messages.find(([type]) => type === 'execution_start')?.[1]);
  const to = timestampOf(messages.findLast(([type]) => TERMINAL.has(type))?.[1]);
  return from === undefined || to === undefined || to < from ? undefined : { from, to };
};

export interface TextOutput {
  readonly nodeId: string;
  readonly outputKey: string;
  readonly index: number;
  readonly text: string;
}

export interface NodeOutputs {
  readonly files: readonly OutputFile[];
  readonly texts: readonly TextOutput[];
  /** Items that name no usable file (a number, a filename that is no string, …). */
  readonly skipped: number;
}

const fileOf = (
  nodeId: string,
  outputKey: string,
  index: number,
  item: Record<string, unknown>,
): OutputFile | undefined => {
  const { filename, subfolder, type } = item;
  if (typeof filename !== 'string' || filename === '' || filename.length > 1024) return undefined;
  const folder = typeof subfolder === 'string' ? subfolder : '';
  if (folder.length > 1024) return undefined;
  return {
    nodeId,
    outputKey,
    index,
    filename,
    subfolder: folder,
    type: typeof type === 'string' ? type.slice(0, 32) : 'output',
  };
};

/**
 * Walks every key of one node's output: an object with a string `filename` is a file, a string under `text` is
 * a text; everything else (flags such as `animated: [true]`) is not an output. Never throws.
 */
export const outputsOfNode = (nodeId: string, output: unknown): NodeOutputs => {
  const files: OutputFile[] = [];
  const texts: TextOutput[] = [];
  let skipped = 0;
  if (!isRecord(output)) return { files, texts, skipped };
  for (const [outputKey, items] of Object.entries(output)) {
    if (outputKey.length > 256) skipped += 1;
    else if (outputKey === 'text' && typeof items === 'string')
      texts.push({ nodeId, outputKey, index: 0, text: items });
    else if (Array.isArray(items)) {
      for (const [index, item] of items.entries()) {
        if (isRecord(item) && 'filename' in item) {
          const file = fileOf(nodeId, outputKey, index, item);
          if (file === undefined) skipped += 1;
          else files.push(file);
        } else if (outputKey === 'text' && typeof item === 'string') {
          texts.push({ nodeId, outputKey, index, text: item });
        }
      }
    }
  }
  return { files, texts, skipped };
};

/** Every output of every node of a history entry, in the entry's own order. */
export const outputsOfHistory = (entry: HistoryEntry): NodeOutputs => {
  const all = Object.entries(entry.outputs).map(([nodeId, output]) =>
    outputsOfNode(nodeId.slice(0, 512), output),
  );
  return {
    files: all.flatMap((node) => node.files),
    texts: all.flatMap((node) => node.texts),
    skipped: all.reduce((sum, node) => sum + node.skipped, 0),
  };
};
