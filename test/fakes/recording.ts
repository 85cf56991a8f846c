/** A recording of a real ComfyUI, read as a timeline: what it sent, and what it would have answered at any moment. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readComfyUiJson } from '../../shared-types/index.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/comfyui-recordings/', import.meta.url));

export type Json = Record<string, unknown>;

export interface RecordedLine {
  readonly ms: number;
  readonly socket?: string;
  readonly text?: { readonly type: string; readonly data: Json };
  readonly raw?: string;
  readonly binary?: string;
  readonly sent?: unknown;
  readonly event?: 'open' | 'close';
  readonly http?: string;
  readonly body?: Json;
  readonly status?: number;
  readonly response?: unknown;
  readonly rawResponse?: string;
}

/** One prompt of the recording. Times are the recording's milliseconds. */
export interface RecordedPrompt {
  readonly promptId: string;
  readonly clientId: string | undefined;
  readonly number: number;
  readonly workflow: Json;
  readonly extraData: Json;
  readonly postedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** The entry of /history, recorded or pieced together from the frames; undefined for a deleted prompt. */
  readonly entry: Json | undefined;
}

export interface Recording {
  readonly name: string;
  readonly lines: readonly RecordedLine[];
  /** Frames, opens and closes of the monitor's own socket. */
  readonly socketLines: readonly RecordedLine[];
  readonly clientId: string;
  readonly prompts: readonly RecordedPrompt[];
  /** Milliseconds since the epoch of the recording's 0. */
  readonly epoch: number;
  readonly endsAt: number;
}

export const RECORDING_NAMES = [
  'animated-and-audio-and-text-outputs',
  'bare-nan-in-frames',
  'batch-and-temp-preview',
  'cached-rerun',
  'client-chosen-prompt-id-and-extra-data',
  'delete-pending',
  'execution-error',
  'foreign-client-and-no-client',
  'interrupted',
  'model-free-fast',
  'out-of-memory',
  'queued-two-then-cancel-second',
  'reconnect-mid-run',
  'socket-lost-until-end',
  'text-to-image',
  'validation-errors',
] as const;
export type RecordingName = (typeof RECORDING_NAMES)[number];

export const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};

/** The text of a frame as it went over the wire. */
export const frameText = (line: RecordedLine): string | undefined =>
  line.raw ?? (line.text === undefined ? undefined : JSON.stringify(line.text));

const parsedFrame = (line: RecordedLine): { type: string; data: Json } | undefined => {
  if (line.text !== undefined) return line.text;
  if (line.raw === undefined) return undefined;
  const read = readComfyUiJson(line.raw);
  const frame = asObject(read.kind === 'ok' ? read.value : undefined);
  return { type: String(frame['type']), data: asObject(frame['data']) };
};

const responseOf = (line: RecordedLine): Json => {
  const raw = line.rawResponse ?? (typeof line.response === 'string' ? line.response : undefined);
  if (raw === undefined) return asObject(line.response);
  const read = readComfyUiJson(raw);
  return asObject(read.kind === 'ok' ? read.value : undefined);
};

const framesOf = (lines: readonly RecordedLine[], promptId: string) =>
  lines.flatMap((line) => {
    const frame = parsedFrame(line);
    return frame !== undefined && frame.data['prompt_id'] === promptId ? [{ ms: line.ms, ...frame }] : [];
  });

const MESSAGES = new Set([
  'execution_start',
  'execution_cached',
  'execution_success',
  'execution_error',
  'execution_interrupted',
]);

/** The history entry that ComfyUI wrote, where the recorder did not ask for it. */
const entryFromFrames = (frames: ReturnType<typeof framesOf>, prompt: unknown[]): Json => {
  const last = frames.findLast((frame) => MESSAGES.has(frame.type))?.type;
  const succeeded = last === 'execution_success';
  const executed = frames.filter((frame) => frame.type === 'executed' && frame.data['output'] !== null);
  return {
    prompt,
    outputs: Object.fromEntries(executed.map((frame) => [String(frame.data['node']), frame.data['output']])),
    status: {
      status_str: succeeded ? 'success' : 'error',
      completed: succeeded,
      messages: frames.filter((f) => MESSAGES.has(f.type)).map((f) => [f.type, f.data]),
    },
    meta: {},
  };
};

const recordedEntry = (lines: readonly RecordedLine[], promptId: string, after: number): Json | undefined => {
  const line = lines.find(
    (l) => l.ms >= after && l.http === `GET /history/${promptId}` && promptId in responseOf(l),
  );
  return line === undefined ? undefined : asObject(responseOf(line)[promptId]);
};

const deletedAt = (lines: readonly RecordedLine[], promptId: string): number | undefined =>
  lines.find((line) => {
    const deleted = line.http === 'POST /queue' ? asObject(line.body)['delete'] : undefined;
    return Array.isArray(deleted) && deleted.includes(promptId);
  })?.ms;

/** The last moment that ComfyUI itself dated in a history entry, on the recording's clock. */
const lastDated = (entry: Json | undefined, epoch: number): number | undefined => {
  const messages = asObject(entry?.['status'])['messages'];
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : undefined;
  const timestamp = Array.isArray(last) ? asObject(last[1])['timestamp'] : undefined;
  return typeof timestamp === 'number' ? timestamp - epoch : undefined;
};

const promptOf = (
  lines: readonly RecordedLine[],
  post: RecordedLine,
  epoch: number,
): RecordedPrompt | undefined => {
  const response = responseOf(post);
  const { prompt_id: promptId, number } = response;
  if (post.status !== 200 || typeof promptId !== 'string') return undefined;
  const body = asObject(post.body);
  const clientId = typeof body['client_id'] === 'string' ? body['client_id'] : undefined;
  const extraData = {
    ...asObject(body['extra_data']),
    ...(clientId === undefined ? {} : { client_id: clientId }),
  };
  const later = lines.filter((line) => line.ms >= post.ms);
  const frames = framesOf(later, promptId);
  const deleted = deletedAt(later, promptId);
  const end = frames.find((frame) => frame.type === 'executing' && frame.data['node'] === null)?.ms;
  const entry = recordedEntry(lines, promptId, post.ms);
  const asked = lines.find((l) => l.ms >= post.ms && l.http?.startsWith(`GET /history/${promptId}`))?.ms;
  const workflow = asObject(body['prompt']);
  const outputs = Array.isArray(entry?.['prompt']) ? (entry['prompt'] as unknown[])[4] : [];
  return {
    promptId,
    clientId,
    number: typeof number === 'number' ? number : 0,
    workflow,
    extraData,
    postedAt: post.ms,
    startedAt: frames[0]?.ms ?? deleted ?? end ?? post.ms,
    endedAt: deleted ?? end ?? lastDated(entry, epoch) ?? frames.at(-1)?.ms ?? asked ?? post.ms,
    entry:
      deleted === undefined
        ? (entry ?? entryFromFrames(frames, [number, promptId, workflow, extraData, outputs]))
        : undefined,
  };
};

const epochOf = (lines: readonly RecordedLine[]): number => {
  const dated = lines.find((line) => typeof line.text?.data['timestamp'] === 'number');
  return dated === undefined ? Date.UTC(2026, 10, 22) : Number(dated.text?.data['timestamp']) - dated.ms;
};

/** The socket whose first status names the client that the prompts were posted with. */
const clientOf = (lines: readonly RecordedLine[]): { socket: string; clientId: string } => {
  const first = lines.find((line) => line.text?.type === 'status' && 'sid' in line.text.data);
  const sid = first?.text?.data['sid'];
  return { socket: first?.socket ?? 'monitor-1', clientId: typeof sid === 'string' ? sid : 'monitor-1' };
};

export const readRecording = (name: RecordingName): Recording => {
  const lines = readFileSync(`${FOLDER}${name}.jsonl`, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RecordedLine);
  const { socket, clientId } = clientOf(lines);
  const posts = lines.filter((line) => line.http === 'POST /prompt');
  return {
    name,
    lines,
    socketLines: lines.filter((line) => line.socket === socket && line.sent === undefined),
    clientId,
    prompts: posts.flatMap((post) => promptOf(lines, post, epochOf(lines)) ?? []),
    epoch: epochOf(lines),
    endsAt: lines.at(-1)?.ms ?? 0,
  };
};

const queueTuple = (prompt: RecordedPrompt): unknown[] => {
  const recorded = prompt.entry?.['prompt'];
  return Array.isArray(recorded)
    ? recorded
    : [prompt.number, prompt.promptId, prompt.workflow, prompt.extraData, []];
};

/** What `GET /queue` answered at `ms`. */
export const queueAt = (recording: Recording, ms: number): Json => {
  const live = recording.prompts.filter((prompt) => prompt.postedAt <= ms && ms < prompt.endedAt);
  return {
    queue_running: live.filter((prompt) => prompt.startedAt <= ms).map(queueTuple),
    queue_pending: live.filter((prompt) => prompt.startedAt > ms).map(queueTuple),
  };
};

/** What `GET /history/{promptId}` answered at `ms`. */
export const historyAt = (recording: Recording, promptId: string, ms: number): Json => {
  const ended = recording.prompts.findLast((p) => p.promptId === promptId && p.endedAt <= ms);
  return ended?.entry === undefined ? {} : { [promptId]: ended.entry };
};

/** Classes of the recorded prompts, as what takes and gives anything: the recorded list lacks the probes' own. */
const recordedClasses = (): Json => {
  const workflows = RECORDING_NAMES.flatMap((name) =>
    readRecording(name).prompts.map(({ workflow }) => workflow),
  );
  const classes = workflows.flatMap((workflow) =>
    Object.values(asObject(workflow)).map((node) => asObject(node)['class_type']),
  );
  const anything = { input: {}, output: ['*', '*', '*', '*'], output_node: true };
  return Object.fromEntries(classes.flatMap((name) => (typeof name === 'string' ? [[name, anything]] : [])));
};

/** `GET /object_info` of the recorded server. */
export const recordedObjectInfo = (): unknown => {
  const answer: unknown = JSON.parse(readFileSync(`${FOLDER}object-info.json`, 'utf8'));
  const recorded = 'response' in asObject(answer) ? asObject(answer)['response'] : answer;
  return { ...recordedClasses(), ...asObject(recorded) };
};

/** `GET /system_stats` of the recorded server. */
export const recordedSystemStats = (): unknown =>
  readRecording('text-to-image').lines.find((line) => line.http === 'GET /system_stats')?.response;
